// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"gatehouse/entry"
)

// killedLedger names, for a child of this test binary, the ledger that it writes to until it is killed.
const killedLedger = "GATEHOUSE_KILLED_LEDGER"

func TestMain(m *testing.M) {
	if path := os.Getenv(killedLedger); path != "" {
		if err := reserveForEver(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if path := os.Getenv(fullLedger); path != "" {
		if err := fillAndRecover(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// reserveForEver prints the number of each pass once its use is acknowledged.
func reserveForEver(path string) error {
	l, err := OpenLedger(path, LedgerOptions{At: morning})
	if err != nil {
		return err
	}
	events, err := l.Events(1, 1<<20)
	if err != nil {
		return err
	}
	for n := uint64(len(events)) + 1; ; n++ {
		use := entry.Use{Pass: passHash(n), Limit: 1, Final: n%2 == 0}
		if err := l.Reserve(context.Background(), admission("in-1"), use); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// A process that is killed in the middle of reserving has everything that it acknowledged in its ledger.
func TestKillWhileReserving(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills ten processes")
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	var acknowledged []uint64
	for round := range 10 {
		// The child is killed after another number of acknowledgements each time, wherever it then is.
		acknowledged = append(acknowledged, killAfter(t, path, 5+round*3)...)
		l, err := OpenLedger(path, LedgerOptions{At: morning})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, n := range acknowledged {
			if got := states(t, l, passHash(n)); len(got) != 1 || got[0] != entry.UseCommitted && got[0] != entry.UseUncertain {
				t.Errorf("round %d: pass %d was acknowledged and is %v", round, n, got)
			}
		}
		admissions(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// admissions checks that uses and events tell the same: an event without its use would be the trace of half a write.
func admissions(t *testing.T, l *Ledger) {
	t.Helper()
	events, err := l.Events(1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	admitted, used := 0, 0
	for i, ev := range events {
		if ev.Seq != uint64(i)+1 {
			t.Fatalf("event %d stands at place %d", ev.Seq, i)
		}
		if ev.Kind == entry.EventDecision {
			admitted++
		}
	}
	for n := range uint64(len(events) + 2) {
		used += len(states(t, l, passHash(n)))
	}
	if admitted != used {
		t.Errorf("%d admissions and %d uses", admitted, used)
	}
}

// killAfter starts a child, kills it once it acknowledged some passes, and returns all that it acknowledged.
func killAfter(t *testing.T, path string, some int) (acknowledged []uint64) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), killedLedger+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); errors.Is(err, syscall.ENOEXEC) {
		t.Skip("under an emulator without binfmt_misc a test cannot start itself")
	} else if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n uint64
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
			t.Fatal(err)
		}
		if acknowledged = append(acknowledged, n); len(acknowledged) == some {
			child.Process.Kill()
		}
	}
	child.Wait()
	if len(acknowledged) < some {
		t.Fatalf("the child ended by itself after %d passes", len(acknowledged))
	}
	return acknowledged
}
