// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"slices"
	"sync"

	"gatehouse/fleet"
)

// Bounds of what is kept of documents that arrived. A topic carries one document at a time, and while a new one is
// published the old head still names the one before; whoever floods a topic pushes out what that topic had.
const (
	heapTopics   = 256
	heapPerTopic = 4
	heapBytes    = 8 << 20 // as they travel; some times that in memory
)

// heap is the documents that arrived, believed by nobody. It is safe for concurrent use.
type heap struct {
	mu     sync.Mutex
	topics map[string][]fleet.Document
	order  []string // of the topics, the longest unchanged first
	bytes  int
}

// add keeps the documents that a message brought and tells whether any is new.
func (h *heap) add(topic string, docs ...fleet.Document) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics == nil {
		h.topics = map[string][]fleet.Document{}
	}
	most := heapPerTopic
	if topic == RootTopic() {
		most = 64 // a chain comes whole
	}
	for _, d := range docs {
		had := h.topics[topic]
		if slices.ContainsFunc(had, func(k fleet.Document) bool { return string(k.Bytes()) == string(d.Bytes()) }) {
			continue
		}
		news = true
		h.topics[topic] = append(had, d)
		h.bytes += len(d.Bytes())
		for len(h.topics[topic]) > most {
			h.bytes -= len(h.topics[topic][0].Bytes())
			h.topics[topic] = slices.Delete(h.topics[topic], 0, 1)
		}
	}
	if news {
		h.order = append(slices.DeleteFunc(h.order, func(t string) bool { return t == topic }), topic)
	}
	for len(h.order) > 1 && (h.bytes > heapBytes || len(h.order) > heapTopics) {
		for _, d := range h.topics[h.order[0]] {
			h.bytes -= len(d.Bytes())
		}
		delete(h.topics, h.order[0])
		h.order = slices.Delete(h.order, 0, 1)
	}
	return news
}

// all are the documents that are kept.
func (h *heap) all() (docs []fleet.Document) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.order {
		docs = append(docs, h.topics[t]...)
	}
	return docs
}

// readDocuments reads what a topic of documents carries: a bundle of roots, or one document.
func readDocuments(topic string, payload []byte) ([]fleet.Document, error) {
	if topic != RootTopic() {
		d, err := fleet.ParseDocument(payload)
		return []fleet.Document{d}, err
	}
	b, err := fleet.DecodeBundle(payload)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(b.Documents, func(d fleet.Document) bool { return d.Kind() != fleet.KindRoot }), nil
}
