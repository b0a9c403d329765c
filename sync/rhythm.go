// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import "time"

// rhythm is how long a client waits for what.
type rhythm struct {
	// Pauses between connections. A whole fleet loses its broker at one moment and must not come back at one: each pause is
	// drawn from nothing to a bound that doubles, from firstPause to mostPause. A connection that stood for goodFor was a good
	// one: the next pauses begin anew.
	firstPause, mostPause, goodFor time.Duration

	connect time.Duration // for a connection to stand
	answer  time.Duration // a broker that does not answer for so long is gone
	tick    time.Duration // how soon a new event is seen
	beat    time.Duration // between heartbeats, and up to twice that
	offer   time.Duration // whoever floods a kiosk with documents gets no more of its time than one offer in this
	correct time.Duration // between corrections of the own status

	reread, mostReread time.Duration // before retained documents are asked for again, doubled each time in vain

	receipt     time.Duration // for a receipt, doubled each time in vain
	mostReceipt time.Duration
	lost        time.Duration // what is under way and answered with nothing new for so long was lost
	goBack      time.Duration // a collector that lost events is heard so often
	block       time.Duration // for a piece of a block; then blocks are asked for again
	vain        time.Duration // before blobs are offered again that were in vain
}

func calm() rhythm {
	return rhythm{
		firstPause: 2 * time.Second, mostPause: 5 * time.Minute, goodFor: time.Minute,
		connect: 30 * time.Second, answer: 30 * time.Second, tick: 250 * time.Millisecond, beat: 40 * time.Second,
		offer: 100 * time.Millisecond, correct: time.Second,
		reread: 5 * time.Second, mostReread: 10 * time.Minute,
		receipt: 10 * time.Second, mostReceipt: 10 * time.Minute, lost: time.Second, goBack: time.Minute, block: 10 * time.Second, vain: 10 * time.Minute,
	}
}
