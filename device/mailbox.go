// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"runtime"

	"gatehouse/scanner"
)

// mailbox holds one scan, the newest: during a passage the one before it has lost its turn.
type mailbox chan scanner.Scan

func newMailbox() mailbox { return make(mailbox, 1) }

// put leaves a scan and takes out the one that was waiting. There is one caller, the scanner's loop.
//
// It lets the lane go first: the scanner's next read is a system call, and the lane would wait for another processor to
// wake up (0.1 ms) behind a thread that sleeps.
func (m mailbox) put(s scanner.Scan) {
	select {
	case <-m:
	default:
	}
	m <- s
	runtime.Gosched()
}
