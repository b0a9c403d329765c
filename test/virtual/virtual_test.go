// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// patience is for one step of a guest, which software emulation makes slow.
const patience = 60 * time.Second

// kit is made once for all tests of the package.
var kit *Kit

func TestMain(m *testing.M) {
	logf := func(format string, args ...any) { fmt.Printf("bench: "+format+"\n", args...) }
	var err error
	if kit, err = Prepare(context.Background(), logf); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func newBench(t *testing.T, config Config) *Bench {
	t.Helper()
	b, err := kit.NewBench(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// start switches the bench on, and off again at the test's end; a failed
// test shows the console.
func start(t *testing.T, b *Bench) *Machine {
	t.Helper()
	m, err := b.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("console:\n%s", m.Console.Text())
		}
	})
	return m
}

func waitLog(t *testing.T, m *Machine, text string, from int) int {
	t.Helper()
	end, err := m.Console.Wait(within(t, patience), text, from)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

var standinLines = [LineCount]string{"relay0", "green0", "red0", "sensor0", "spare4", "spare5", "spare6", "spare7"}

func standinBench(t *testing.T) *Bench {
	t.Helper()
	program, err := BuildGuest(t.Context(), "gatehouse/test/virtual/guest/standin")
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, Config{
		Lines: standinLines,
		Files: map[string]File{"/bin/standin": program},
		Start: "standin",
	})
}

func send(t *testing.T, m *Machine, code string) time.Time {
	t.Helper()
	at := time.Now()
	if err := m.Scanner.Send(code); err != nil {
		t.Fatal(err)
	}
	return at
}

func edge(t *testing.T, m *Machine, line string, high bool, since time.Time) Edge {
	t.Helper()
	e, err := m.Lines.WaitEdge(within(t, patience), line, high, since)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestStandin(t *testing.T) {
	b := standinBench(t)
	m := start(t, b)
	t.Logf("first levels %+v", m.Lines.Levels())
	end := waitLog(t, m, "bench: up", 0)
	t.Logf("user space after %v", time.Since(m.Booted))
	waitLog(t, m, "standin: ready", 0)
	t.Logf("program ready after %v; levels %+v; edges %+v", time.Since(m.Booted), m.Lines.Levels(), m.Lines.Edges(m.Booted))

	at, reads := time.Now(), m.Lines.Reads()
	if err := m.Scanner.Plug(); err != nil {
		t.Fatal(err)
	}
	end = waitLog(t, m, "standin: scanner open", end)
	t.Logf("scanner open %v after plug; %d reads in %v", time.Since(at), m.Lines.Reads()-reads, time.Since(at))

	for _, code := range []string{"one", "two"} {
		at = send(t, m, code)
		up := edge(t, m, "relay0", true, at)
		down := edge(t, m, "relay0", false, up.At)
		t.Logf("up %v after send, within %v; pulse %v", up.At.Sub(at), up.Within, down.At.Sub(up.At))
		end = waitLog(t, m, "standin: answered", end)
		if moved := m.Lines.Moved(at); !slices.Equal(moved, []string{"green0", "relay0"}) {
			t.Errorf("moved: %v", moved)
		}
	}
	if err := m.Scanner.Unplug(); err != nil {
		t.Fatal(err)
	}
	end = waitLog(t, m, "standin: scanner:", end)
	at = time.Now()
	if err := m.Scanner.Plug(); err != nil {
		t.Fatal(err)
	}
	end = waitLog(t, m, "standin: scanner open", end)
	t.Logf("scanner open %v after replug", time.Since(at))
	at = send(t, m, "three")
	edge(t, m, "relay0", true, at)

	out, err := m.Shell(within(t, patience), "cat /data/uses; ls /dev/ttyUSB*; date; dmesg | grep -iE 'rtc|ftdi|tty'")
	t.Logf("%v\n%s", err, out)
	at = time.Now()
	if err := m.PulseSensor(); err != nil {
		t.Fatal(err)
	}
	edge(t, m, "sensor0", false, at)
	t.Logf("sensor: %+v", m.Lines.Edges(at))
	at = send(t, m, "four")
	edge(t, m, "relay0", true, at)
	out, err = m.Shell(within(t, patience), "killall -9 standin; usleep 300000; gpio=$(cat /sys/kernel/debug/gpio 2>&1); echo $gpio; pidof standin; false")
	t.Logf("%v\n%s: levels after kill in pulse %+v", err, out, m.Lines.Levels())
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}

	for _, orderly := range []bool{true, false} {
		m = start(t, b)
		if err := m.Scanner.Plug(); err != nil {
			t.Fatal(err)
		}
		waitLog(t, m, "standin: scanner open", 0)
		t.Logf("scanner open %v after boot with it plugged in", time.Since(m.Booted))
		at = send(t, m, "one")
		edge(t, m, "red0", true, at)
		edge(t, m, "red0", false, at)
		if moved := m.Lines.Moved(at); !slices.Equal(moved, []string{"red0"}) {
			t.Errorf("moved: %v", moved)
		}
		if orderly {
			at = time.Now()
			if err := m.PowerOff(within(t, patience)); err != nil {
				t.Fatal(err)
			}
			t.Logf("power off took %v; %v", time.Since(at), m.ended)
		}
	}
}
