// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package mosquitto

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/fleet/folder"
)

// startMost is how long the broker may take to listen, on a slow machine.
const startMost = time.Minute

// Broker is a Mosquitto that can be killed and started again at the same address. Its user may be one test.
type Broker struct {
	// Addr is where it listens, host:port.
	Addr string
	// Dir holds its configuration and what it persists.
	Dir string

	t       testing.TB
	program string
	cmd     *exec.Cmd
	said    *lines
}

// Start runs a broker for a fleet, until the test ends. hosts are further names and addresses by which it is reached. Where
// Mosquitto is missing the test is skipped, and fails where GATEHOUSE_TESTDATA says that everything must be there.
func Start(t testing.TB, f *folder.Folder, hosts ...string) *Broker {
	t.Helper()
	Need(t)
	port, dir := FreePort(t), t.TempDir()
	if err := f.Mosquitto(dir, port, time.Now(), append([]string{"127.0.0.1", "localhost"}, hosts...)...); err != nil {
		t.Fatal(err)
	}
	return Run(t, dir, port)
}

// Need skips or fails the test where Mosquitto is missing, as Start does, and returns the program.
func Need(t testing.TB) string {
	t.Helper()
	program, err := find()
	switch {
	case err != nil && os.Getenv("GATEHOUSE_TESTDATA") != "":
		t.Fatal("mosquitto is not installed: apt install mosquitto")
	case err != nil:
		t.Skip("mosquitto is not installed: apt install mosquitto")
	}
	return program
}

func find() (string, error) {
	if program, err := exec.LookPath("mosquitto"); err == nil {
		return program, nil
	}
	return exec.LookPath("/usr/sbin/mosquitto") // where Debian has it, and a user's PATH has not
}

// There tells whether a test can go on with Need: Mosquitto is there, or its absence is to be a failure.
func There() bool {
	_, err := find()
	return err == nil || os.Getenv("GATEHOUSE_TESTDATA") != ""
}

// Run runs a broker with the configuration that is in a folder already, until the test ends.
func Run(t testing.TB, dir string, port int) *Broker {
	t.Helper()
	b := &Broker{t: t, program: Need(t), Dir: dir, Addr: fmt.Sprintf("127.0.0.1:%d", port)}
	t.Cleanup(b.Kill)
	b.Again()
	return b
}

// FreePort is one of loopback's that nobody listens on now.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Again starts the process, after Kill, and waits until it listens.
func (b *Broker) Again() {
	b.t.Helper()
	path := filepath.Join(b.Dir, "mosquitto.conf")
	text, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	if os.Getuid() == 0 && !bytes.HasPrefix(text, []byte("user ")) {
		// As root it would change to a user who cannot read its key.
		if err := os.WriteFile(path, append([]byte("user root\n"), text...), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	b.said = &lines{running: make(chan struct{})}
	b.cmd = exec.Command(b.program, "-v", "-c", path)
	b.cmd.Stderr, b.cmd.Stdout = b.said, b.said
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	select {
	case <-b.said.running:
	case <-time.After(startMost):
		b.Kill()
		b.t.Fatalf("mosquitto does not run:\n%s", b.Said())
	}
}

// Kill ends the process as a power cut does. What it had not written is lost.
func (b *Broker) Kill() {
	if b.cmd != nil {
		_ = b.cmd.Process.Kill()
		_ = b.cmd.Wait()
		b.cmd = nil
	}
}

// Said is what the process that was started last has written, its newest lines.
func (b *Broker) Said() string { return b.said.String() }

// lines keeps what a process writes, and notices when it says that it runs.
type lines struct {
	mu      sync.Mutex
	text    []byte
	seen    bool
	running chan struct{}
}

// mostText bounds what is kept, in bytes.
const mostText = 64 << 10

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	if !l.seen && bytes.Contains(l.text, []byte("running")) {
		l.seen = true
		close(l.running)
	}
	if n := len(l.text) - mostText; n > 0 {
		l.text = append([]byte(nil), l.text[n:]...)
	}
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.text))
}
