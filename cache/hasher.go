// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"crypto/sha256"

	"gatehouse/fleet"
)

// hashBytes is about how many bytes are hashed at once.
const hashBytes = 16 << 10

// hasher is a SHA-256 that is computed in a goroutine of its own while its caller reads and checks on: a start waits for
// the longer of the two. What is hashed was copied: the goroutine never touches the memory map, where the medium may fault.
type hasher struct {
	bytes []byte // for the caller to append to
	full  chan []byte
	empty chan []byte
	sum   chan fleet.Digest
	ended bool
}

func newHasher() *hasher {
	h := &hasher{bytes: make([]byte, 0, 2*hashBytes), full: make(chan []byte, 1), empty: make(chan []byte, 2), sum: make(chan fleet.Digest, 1)}
	h.empty <- make([]byte, 0, 2*hashBytes)
	go func() {
		sum := sha256.New()
		for b := range h.full {
			sum.Write(b)
			h.empty <- b[:0]
		}
		h.sum <- fleet.Digest(sum.Sum(nil))
	}()
	return h
}

// more hands on what was appended, where it is enough.
func (h *hasher) more() {
	if len(h.bytes) >= hashBytes {
		h.full <- h.bytes
		h.bytes = <-h.empty
	}
}

// end ends the goroutine and returns the digest of all that was appended.
func (h *hasher) end() (digest fleet.Digest) {
	if !h.ended {
		h.ended = true
		h.full <- h.bytes
		close(h.full)
		digest = <-h.sum
	}
	return digest
}
