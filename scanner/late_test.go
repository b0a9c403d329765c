// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"context"
	"testing"
	"time"
)

// A code that waited on the line because this program did not run is as old as it may be, not new.
func TestACodeThatWaitedOnTheLineIsOld(t *testing.T) {
	r := newRig(t, "\r")
	r.plug()
	reader, err := Open(r.config())
	if err != nil {
		t.Fatal(err)
	}
	const away = lateRead + 200*time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	ended, scans := make(chan error, 1), make(chan Scan, 3)
	go func() {
		ended <- reader.Run(ctx, func(s Scan) {
			if s.Code == "first" {
				if err := r.device.Scan("waiting"); err != nil {
					t.Error(err)
				}
				<-time.After(away) // as a process that is stopped
			}
			scans <- s
		})
	}()
	r.state(nil)
	r.scan("first")
	first, waiting := <-scans, <-scans
	if waiting.Code != "waiting" || waiting.At.Sub(first.At) > lateRead || time.Since(waiting.At) < away {
		t.Errorf("%q was read %v after the first, and is %v old", waiting.Code, waiting.At.Sub(first.At), time.Since(waiting.At))
	}
	r.scan("new")
	if fresh := <-scans; fresh.At.Sub(waiting.At) < away {
		t.Errorf("a new code is %v younger than the one that waited", fresh.At.Sub(waiting.At))
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
