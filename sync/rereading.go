// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"math/rand/v2"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// rereading is when the retained documents are asked for again. They come at QoS 0, so a broker that is busy may have dropped
// one; nobody publishes it anew while it does not change, and a head that names it would wait for good.
type rereading struct {
	lacking bool // the last offer failed, or a document that the newest head names is not here
	old     bool // what is in force is not fresh, or nothing is

	pause time.Duration // 0 while nothing is lacking
	due   time.Time
}

// over tells whether to ask now: soon after something was found to be lacking, then with pauses that double.
func (r *rereading) over(now time.Time, rhythm *rhythm) bool {
	if !r.lacking && !r.old {
		r.pause = 0
		return false
	}
	ask := r.pause > 0 && !now.Before(r.due)
	switch {
	case r.pause == 0:
		r.pause = rhythm.reread // it may still be on its way
	case ask:
		r.pause = min(2*r.pause, rhythm.mostReread)
	default:
		return false
	}
	r.due = now.Add(r.pause/2 + rand.N(r.pause)) // a whole fleet may lack the same
	return ask
}

// reread has the broker send again what it retains, and offers that with what is here already.
func (s *session) reread(now time.Time) {
	s.offer = true
	for _, token := range s.askForTopics() {
		s.pending = append(s.pending, promise{token, now.Add(s.rhythm.answer)})
	}
}

// askForTopics subscribes to all topics at QoS 0: what is retained comes again with every subscription, so a session at the
// broker would add nothing. It does so one by one, so that a SUBACK has one length (guard.go).
func (s *session) askForTopics() (tokens []mqtt.Token) {
	for _, f := range filters(s.cfg.Place) {
		tokens = append(tokens, s.link.Subscribe(f, 0, nil))
	}
	return tokens
}
