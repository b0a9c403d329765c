// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
)

// A document that a busy broker dropped is asked for again as long as the newest head names it, on the connection that stands.
func TestADocumentThatWasDroppedIsReadAgain(t *testing.T) {
	h := newHostile(t)
	h.join(h.between.Addr)
	h.until("joined", h.joined)
	h.until("what is there offered", func() bool { return h.offers > 0 })

	issuers := document(t, fleet.KindIssuers, fleet.ScopeAll, 7)
	topic := syncer.DocumentTopic(fleet.KindIssuers, fleet.ScopeAll)
	dropped := 0
	h.between.Meddle(func(down bool, p packets.ControlPacket) []packets.ControlPacket {
		if m, ok := p.(*packets.PublishPacket); ok && down && m.TopicName == topic && dropped < 3 {
			dropped++
			return nil
		}
		return []packets.ControlPacket{p}
	})
	h.set(func() { h.missing.Documents = []fleet.Entry{fleet.EntryOf(issuers)} })
	h.broker.Publish(topic, true, issuers.Bytes())
	head := document(t, fleet.KindHead, "arena", 8)
	h.broker.Publish(syncer.DocumentTopic(fleet.KindHead, "arena"), true, head.Bytes())
	h.until("the dropped document offered", func() bool {
		return slices.ContainsFunc(h.offered, func(d fleet.Document) bool { return d.Digest() == issuers.Digest() })
	})
	h.set(func() {
		// on a busy machine an answer may be late
		if slices.ContainsFunc(h.states, func(err error) bool { return err != nil && !errors.Is(err, syncer.ErrSilent) }) {
			t.Errorf("the connection did not stand: %v", h.states)
		}
		h.missing = fleet.Missing{}
	})
}
