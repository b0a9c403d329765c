// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"

	"go.etcd.io/bbolt"

	"gatehouse/fleet"
)

// tail is the end of the chain that was pruned, and how much is kept beyond it. It is one sealed value of the head.
type tail struct {
	last  uint64     // number of the newest event that was pruned, 0 for none
	link  fleet.Link // at last
	bytes uint64     // of the kept events, keys and seals included and what pages waste not
}

const tailSize = 8 + len(fleet.Link{}) + 8

func readTail(tx *bbolt.Tx) (t tail, err error) {
	b, err := unseal(metaTail, tx.Bucket(metaBucket).Get(metaTail))
	if err != nil || len(b) != tailSize {
		return t, errSeal
	}
	t.last = binary.BigEndian.Uint64(b)
	t.link = fleet.Link(b[8:])
	t.bytes = binary.BigEndian.Uint64(b[tailSize-8:])
	return t, nil
}

func (t tail) write(tx *bbolt.Tx) error {
	b := binary.BigEndian.AppendUint64(nil, t.last)
	b = append(b, t.link[:]...)
	b = binary.BigEndian.AppendUint64(b, t.bytes)
	return tx.Bucket(metaBucket).Put(metaTail, seal(metaTail, b))
}

// kept is what an event adds to the bytes of a tail.
func kept(key, sealed []byte) uint64 { return uint64(len(key) + len(sealed)) }
