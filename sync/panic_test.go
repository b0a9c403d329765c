// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer_test

import (
	"testing"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
)

// A fault of the program in what came over the network ends neither the process, in which the lanes are, nor the joining.
func TestAPanicOverADocumentOrReceiptEndsNothing(t *testing.T) {
	h := newHostile(t)
	h.offerFails.Store(true)
	h.broker.Publish(syncer.DocumentTopic(fleet.KindHead, "arena"), true, document(t, fleet.KindHead, "arena", 1).Bytes())
	h.join(h.between.Addr)
	h.until("a panic over a document", func() bool { return !h.offerFails.Load() })
	h.recovers(t)
	h.set(func() { h.receiptFails.Store(true); h.events = append(h.events, []byte{0xa0}) })
	h.failed(syncer.ErrPanic)
	h.recovers(t)
}
