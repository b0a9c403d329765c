// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"strings"

	"gatehouse/fleet"
)

// inboxed is how many messages may wait. What a full inbox drops is asked for again: receipts and blocks by a time-out,
// documents by the next subscription, a command by whoever sent it.
const inboxed = 128

// maxMessage bounds a message that is no document, in bytes. The longest is a block.
const maxMessage = fleet.BlockSize + 1<<10

// message is one that arrived, for its kiosk or of its status.
type message struct {
	leaf    string
	payload []byte
}

// inbox takes what the library delivers and never makes it wait.
type inbox struct {
	place    fleet.Place
	heap     *heap
	refused  func(topic string, err error)
	news     chan struct{} // documents arrived
	messages chan message
}

func newInbox(p fleet.Place, h *heap, refused func(string, error)) *inbox {
	return &inbox{place: p, heap: h, refused: refused, news: make(chan struct{}, 1), messages: make(chan message, inboxed)}
}

func (i *inbox) put(topic string, payload []byte) {
	var fault error
	defer func() {
		if fault != nil {
			i.refused(topic, fault)
		}
	}()
	defer recovered(&fault)
	if carriesDocuments(i.place, topic) {
		docs, err := readDocuments(topic, payload)
		if err != nil {
			i.refused(topic, err)
			return
		}
		if i.heap.add(topic, docs...) {
			select {
			case i.news <- struct{}{}:
			default:
			}
		}
		return
	}
	leaf, ok := strings.CutPrefix(topic, down(i.place, ""))
	if !ok && topic == up(i.place, LeafStatus) {
		leaf, ok = LeafStatus, true
	}
	if !ok || len(payload) > maxMessage {
		return
	}
	select {
	case i.messages <- message{leaf, payload}:
	default:
	}
}
