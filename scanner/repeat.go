// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"
)

// rememberedCodes bounds what repeats remembers. It is more than one code, because a scanner that sees
// two phones reads them in turn and each is to be answered once, not at every turn; and it is few,
// because nobody shows more within a window.
const rememberedCodes = 8

// repeats answers whether a code is held in front rather than shown anew: it was seen less than a window
// ago. Each sighting starts the window afresh. Of A, B, A within the window the second A is a repeat:
// A was answered, and showing B did not change that answer.
//
// It keeps hashes only, never a code. The caller tells the time. Safe for concurrent use.
type repeats struct {
	window time.Duration // not positive: nothing is a repeat

	mu   sync.Mutex
	seen []sighting // at most rememberedCodes
}

type sighting struct {
	sum [sha256.Size]byte
	at  time.Time
}

func newRepeats(window time.Duration) *repeats {
	return &repeats{window: window, seen: make([]sighting, 0, rememberedCodes)}
}

// again notes that code was seen at that moment and reports whether it is a repeat.
func (r *repeats) again(code string, at time.Time) bool {
	if r.window <= 0 {
		return false
	}
	sum := sha256.Sum256([]byte(code))
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest := 0
	for i := range r.seen {
		s := &r.seen[i]
		if s.sum == sum {
			repeat := at.Sub(s.at) < r.window
			s.at = at
			return repeat
		}
		if s.at.Before(r.seen[oldest].at) {
			oldest = i
		}
	}
	if len(r.seen) < rememberedCodes {
		r.seen = append(r.seen, sighting{sum, at})
	} else {
		r.seen[oldest] = sighting{sum, at}
	}
	return false
}

// forget makes every code but one new again; no code is "".
func (r *repeats) forget(but string) {
	sum := sha256.Sum256([]byte(but))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = slices.DeleteFunc(r.seen, func(s sighting) bool { return s.sum != sum })
}
