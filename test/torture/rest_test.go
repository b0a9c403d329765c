// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/fleet"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// watchdog is that of the unit, and promised how long a line may be active.
const (
	watchdog = 5 * time.Second
	promised = 8 * time.Second
)

// manager stands in for systemd: it starts a kiosk that has neither documents nor a scanner, ends it when its watchdog is not
// fed, and runs ExecStopPost.
type manager struct {
	*stage
	kiosk *child
	fed   *net.UnixConn
}

func newManager(ctx context.Context, t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "rest-") // the path of a unix socket is limited to 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{stage: &stage{dir: dir, board: gatetest.New(gatetest.Config{}), config: filepath.Join(dir, "gatehouse.yaml")}}
	t.Cleanup(func() {
		if m.kiosk != nil {
			_ = m.kiosk.cmd.Process.Kill()
			<-m.kiosk.ended
		}
		_, _, _ = m.board.Close(), m.log.Close(), m.fed.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "notify"))
	t.Setenv("WATCHDOG_USEC", fmt.Sprint(watchdog.Microseconds()))
	t.Setenv("WATCHDOG_PID", "")
	if err := m.begin(ctx); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *manager) begin(ctx context.Context) (err error) {
	m.fed, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
	if err != nil {
		return err
	}
	if m.log, err = os.Create(filepath.Join(m.dir, "kiosk.log")); err != nil {
		return err
	}
	text := fmt.Sprintf(`venue: arena
kiosk: gate-1
root: %s
state: state
run: run
venue_key: venue.key
lanes:
  - name: in-1
    exit_pulse: 7s
    scanner: {port: /dev/gatehouse-none}
    gpio: {relay: {line: r}, exit: {line: e}, fire: {line: f}}
`, fleet.Digest{1})
	err = errors.Join(m.board.Listen(m.socket()), os.WriteFile(m.config, []byte(text), 0o600),
		os.WriteFile(filepath.Join(m.dir, "venue.key"), []byte(strings.Repeat("ab", 32)), 0o600))
	if err != nil {
		return err
	}
	if m.kiosk, err = m.start(anywhere); err != nil {
		return err
	}
	return m.told(ctx, "READY=1", time.Minute)
}

// told waits until the kiosk says something.
func (m *manager) told(ctx context.Context, want string, most time.Duration) error {
	b := make([]byte, 256)
	for {
		deadline := time.Now().Add(most)
		if by, ok := ctx.Deadline(); ok && by.Before(deadline) {
			deadline = by
		}
		if err := m.fed.SetReadDeadline(deadline); err != nil {
			return err
		}
		n, err := m.fed.Read(b)
		if err != nil {
			return fmt.Errorf("%s was not told: %w", want, err)
		}
		for line := range strings.Lines(string(b[:n])) {
			if strings.TrimSpace(line) == want {
				return nil
			}
		}
	}
}

// watch ends the kiosk when its watchdog was not fed for too long.
func (m *manager) watch(ctx context.Context) error {
	for {
		switch err := m.told(ctx, "WATCHDOG=1", watchdog); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return m.kiosk.kill()
		case err != nil:
			return err
		}
	}
}

// stopPost is gatehoused -rest.
func (m *manager) stopPost() error {
	return device.Rest(m.config, filepath.Join(m.dir, "run"), device.Hardware{
		Lines: func(l device.LaneConfig) (gate.Lines, error) { return m.board.Lines(l.Name), nil },
		Input: func(l device.LaneConfig, c gate.Contact) (gate.Input, error) { return m.board.Input(l.Name, c), nil },
	})
}

// leaves has somebody press the button, and gives when the relay rose.
func (m *manager) leaves(ctx context.Context) (time.Time, error) {
	mark := m.board.Mark()
	if err := m.board.Press(ctx, "in-1", gate.Exit); err != nil {
		return time.Time{}, err
	}
	edge, err := m.board.WaitEdge(ctx, mark, "in-1", gate.Relay, true)
	return edge.Time, err
}

// spoil makes the config useless, once the daemon has noted its lane.
func (m *manager) spoil(ctx context.Context) error {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		if _, err := os.Stat(filepath.Join(m.dir, "run", "rest-in-1.json")); err == nil {
			return os.WriteFile(m.config, []byte("lanes: [{{"), 0o600)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// However a daemon ends in the middle of a pulse its line is at its inert level within the promised time; nothing else brings
// it there, for the board keeps a level whose program is gone.
func TestDeadDaemonsLineComesToRest(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(ctx context.Context, m *manager) error
		fire  bool
		spoil bool
	}{
		"kill -9":                      {end: func(_ context.Context, m *manager) error { return m.kiosk.kill() }},
		"kill -9, the config spoiled":  {end: func(_ context.Context, m *manager) error { return m.kiosk.kill() }, spoil: true},
		"kill -9 in the midst of fire": {end: func(_ context.Context, m *manager) error { return m.kiosk.kill() }, fire: true},
		"SIGSTOP": {end: func(ctx context.Context, m *manager) error {
			if err := m.kiosk.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				return err
			}
			return m.watch(ctx)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			m := newManager(ctx, t)
			rose, err := m.leaves(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if c.fire {
				m.board.SetInput("in-1", gate.Fire, true)
			}
			if c.spoil {
				err = m.spoil(ctx)
			}
			if err := errors.Join(err, c.end(ctx, m)); err != nil {
				t.Fatal(err)
			}
			if !m.board.Level("in-1", gate.Relay) {
				t.Fatal("the line came to rest by itself: nothing is shown")
			}
			if err := m.stopPost(); (err != nil) != c.spoil {
				t.Error(err)
			}
			if took := time.Since(rose); took > promised {
				t.Errorf("it took %v", took)
			}
			if active := m.board.Level("in-1", gate.Relay); active != c.fire {
				t.Errorf("the relay is active: %t", active)
			}
		})
	}
}
