// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gatetest_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// soon bounds what a test waits for.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// listen makes a board and the path of its socket.
func listen(t *testing.T, cfg gatetest.Config) (*gatetest.Board, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "board.sock")
	b := gatetest.New(cfg)
	if err := b.Listen(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, path
}

func dial(t *testing.T, path, lane string) gate.Lines {
	t.Helper()
	lines, err := gatetest.Dial(path, lane)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lines.Close() })
	return lines
}

func drive(t *testing.T, l gate.Lines, o gate.Output, active bool) {
	t.Helper()
	if err := l.Drive(o, active); err != nil {
		t.Fatal(err)
	}
}

func TestEdgesAreChangesWithTimesInOrder(t *testing.T) {
	b, path := listen(t, gatetest.Config{})
	direct, remote := b.Lines("a"), dial(t, path, "b")
	before := time.Now()
	drive(t, direct, gate.Relay, true)
	drive(t, remote, gate.Relay, true)
	drive(t, remote, gate.Relay, true) // no change
	drive(t, direct, gate.Relay, false)
	var got []string
	for _, e := range b.Edges() {
		if e.Time.Before(before) || e.Time.After(time.Now()) {
			t.Errorf("%v at %v is out of order", e, e.Time)
		}
		before = e.Time
		got = append(got, e.String())
	}
	if s := strings.Join(got, ", "); s != "a relay on, b relay on, a relay off" {
		t.Errorf("edges %s", s)
	}
	if !b.Level("b", gate.Relay) || b.Level("a", gate.Relay) || b.Level("b", gate.Green) {
		t.Error("levels differ from the edges")
	}
}

func TestWaiting(t *testing.T) {
	b := gatetest.New(gatetest.Config{})
	lines := b.Lines("a")
	drive(t, lines, gate.Relay, true)
	drive(t, lines, gate.Relay, false)
	mark := b.Mark()
	b.Forget()
	if b.Mark() != mark {
		t.Errorf("mark moved from %d to %d", mark, b.Mark())
	}
	done := make(chan error, 1)
	go func() { done <- lines.Drive(gate.Relay, true) }()
	if _, err := b.WaitEdge(soon(t), mark, "a", gate.Relay, true); err != nil {
		t.Error(err)
	}
	if err := b.WaitLevel(soon(t), "a", gate.Relay, true); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := b.WaitEdge(short, b.Mark(), "a", gate.Relay, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an edge from before the mark was taken: %v", err)
	}
	if err := b.WaitLevel(short, "a", gate.Red, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	b, path := listen(t, gatetest.Config{})
	for name, lines := range map[string]gate.Lines{"direct": b.Lines("direct"), "remote": dial(t, path, "remote")} {
		t.Run(name, func(t *testing.T) {
			b.Fail(name, gate.Relay, gatetest.FailNothingMoved, 1)
			if err := lines.Drive(gate.Relay, true); err == nil || b.Level(name, gate.Relay) {
				t.Errorf("nothing moved: error %v, level %t", err, b.Level(name, gate.Relay))
			}
			b.Fail(name, gate.Relay, gatetest.FailYetMoved, 2)
			for range 2 {
				if err := lines.Drive(gate.Relay, true); err == nil || !b.Level(name, gate.Relay) {
					t.Errorf("yet moved: error %v, level %t", err, b.Level(name, gate.Relay))
				}
			}
			drive(t, lines, gate.Relay, false) // used up
			b.Fail(name, gate.Green, gatetest.FailNothingMoved, gatetest.Lasting)
			for range 3 {
				if lines.Drive(gate.Green, true) == nil {
					t.Error("a lasting fault was used up")
				}
			}
			b.Clear(name, gate.Green)
			drive(t, lines, gate.Green, true)

			b.Fail(name, gate.Red, gatetest.Hang, 1)
			done := make(chan error, 1)
			go func() { done <- lines.Drive(gate.Red, true) }()
			drive(t, lines, gate.Relay, true) // another output is not held up
			select {
			case err := <-done:
				t.Fatalf("the call that hangs returned %v", err)
			default:
			}
			b.Clear(name, gate.Red)
			if err := <-done; err != nil || !b.Level(name, gate.Red) {
				t.Errorf("after the hang: %v, level %t", err, b.Level(name, gate.Red))
			}
		})
	}
	b.Fail("direct", gate.Relay, gatetest.FailNothingMoved, 1)
	if err := b.Lines("direct").Drive(gate.Relay, true); !errors.Is(err, gatetest.ErrInjected) {
		t.Errorf("error %v, want ErrInjected", err)
	}
}

// TestBoardOutlivesItsClient runs this test's program again as a client and kills it with the relay open.
func TestBoardOutlivesItsClient(t *testing.T) {
	if path := os.Getenv("GATETEST_CLIENT"); path != "" {
		lines, err := gatetest.Dial(path, "a")
		if err != nil {
			t.Fatal(err)
		}
		drive(t, lines, gate.Relay, true)
		select {} // until killed
	}
	for name, c := range map[string]struct {
		cfg   gatetest.Config
		after bool
	}{
		"levels stay":     {gatetest.Config{}, true},
		"levels released": {gatetest.Config{ReleaseOnClose: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b, path := listen(t, c.cfg)
			client := exec.Command(os.Args[0], "-test.run=^TestBoardOutlivesItsClient$")
			client.Env = append(os.Environ(), "GATETEST_CLIENT="+path)
			if err := client.Start(); err != nil {
				t.Fatal(err)
			}
			_, err := b.WaitEdge(soon(t), 0, "a", gate.Relay, true)
			_ = client.Process.Kill()
			_ = client.Wait() // killed, as told
			if err != nil {
				t.Fatal(err)
			}
			if !c.after {
				if err := b.WaitLevel(soon(t), "a", gate.Relay, false); err != nil {
					t.Error(err)
				}
				return
			}
			// The successor finds the level that was left, and moves it.
			if !b.Level("a", gate.Relay) {
				t.Error("the level fell with the client")
			}
			drive(t, dial(t, path, "a"), gate.Relay, false)
			if b.Level("a", gate.Relay) {
				t.Error("the successor moved nothing")
			}
		})
	}
}

// Who kills a client must know when the board is done with what it sent.
func TestWaitAlone(t *testing.T) {
	b, path := listen(t, gatetest.Config{})
	lines := dial(t, path, "in-1")
	drive(t, lines, gate.Relay, true)
	early, cancel := context.WithCancel(soon(t))
	cancel()
	if err := b.WaitAlone(early); !errors.Is(err, context.Canceled) {
		t.Errorf("with a client connected: %v", err)
	}
	if err := lines.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.WaitAlone(soon(t)); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoRequestEndsNothingButItsConnection(t *testing.T) {
	b, path := listen(t, gatetest.Config{})
	for _, line := range []string{"rubbish", `{"lane":"a","output":"moat","active":true}`, `{"output":"relay","active":true}`} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(line + "\n")); err != nil {
			t.Error(err)
		}
		if answer, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(answer, "not a request") {
			t.Errorf("%s: answer %q, %v", line, answer, err)
		}
		_ = c.Close()
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write(make([]byte, 4096)) // may fail: the board hangs up on a line without end
	if _, err := bufio.NewReader(c).ReadString('\n'); err == nil {
		t.Error("a line without end was answered")
	}
	drive(t, dial(t, path, "a"), gate.Relay, true)
	if len(b.Edges()) != 1 {
		t.Errorf("edges %v", b.Edges())
	}
}

func TestClientComesBackToABoardThatWasAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "board.sock")
	first := gatetest.New(gatetest.Config{})
	if err := first.Listen(path); err != nil {
		t.Fatal(err)
	}
	lines := dial(t, path, "a")
	drive(t, lines, gate.Relay, true)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := lines.Drive(gate.Relay, false); err == nil {
		t.Error("driven with the board away")
	}
	second := gatetest.New(gatetest.Config{})
	if err := second.Listen(path); err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	drive(t, lines, gate.Relay, true)
	if !second.Level("a", gate.Relay) {
		t.Error("nothing moved on the new board")
	}
	if err := lines.Close(); err != nil {
		t.Error(err)
	}
	if err := lines.Drive(gate.Relay, true); !errors.Is(err, net.ErrClosed) {
		t.Errorf("driven after Close: %v", err)
	}
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	b, path := listen(t, gatetest.Config{})
	if b.Listen(path+"2") == nil {
		t.Error("a board listens twice")
	}
	if other := gatetest.New(gatetest.Config{}); other.Listen(path) == nil {
		t.Error("two boards share a socket")
	}
	if _, err := gatetest.Dial(path+"3", "a"); err == nil {
		t.Error("dialled no board")
	}
}

func BenchmarkDriveOverTheSocket(b *testing.B) {
	board := gatetest.New(gatetest.Config{})
	path := filepath.Join(b.TempDir(), "board.sock")
	if err := board.Listen(path); err != nil {
		b.Fatal(err)
	}
	defer board.Close()
	lines, err := gatetest.Dial(path, "a")
	if err != nil {
		b.Fatal(err)
	}
	defer lines.Close()
	active := false
	for b.Loop() {
		active = !active
		if err := lines.Drive(gate.Relay, active); err != nil {
			b.Fatal(err)
		}
	}
}
