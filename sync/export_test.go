// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import "time"

// Vain is how long a hurried client waits before it offers blobs again that were in vain.
const Vain = 500 * time.Millisecond

// Hurry makes a client wait for moments where it waits for minutes.
func (c *Client) Hurry() {
	c.rhythm = rhythm{
		firstPause: 5 * time.Millisecond, mostPause: 50 * time.Millisecond, goodFor: time.Second,
		connect: 3 * time.Second, answer: 2 * time.Second, tick: 10 * time.Millisecond, beat: 1200 * time.Millisecond,
		offer: 5 * time.Millisecond, correct: 20 * time.Millisecond,
		reread: 50 * time.Millisecond, mostReread: 500 * time.Millisecond,
		receipt: 300 * time.Millisecond, mostReceipt: 2 * time.Second, lost: 100 * time.Millisecond, goBack: 100 * time.Millisecond, block: 300 * time.Millisecond,
		vain: Vain,
	}
}
