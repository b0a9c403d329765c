// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Command pid1 stands in for systemd on the virtual bench: it does for one unit what systemd.service(5) and sd_notify(3)
// say of starting, the watchdog, ExecStopPost and restarting. Times and commands are those of the unit's own file.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const socket = "/tmp/notify"

func main() {
	fmt.Fprintln(os.Stderr, "pid1:", run(os.Args[1]))
	os.Exit(1)
}

// unit is what of a unit's file is acted on.
type unit struct {
	start, stopPost                       []string
	startMost, watchdog, abort, restartIn time.Duration
}

func readUnit(path string) (u unit, err error) {
	f, err := os.Open(path)
	if err != nil {
		return u, err
	}
	defer f.Close()
	said := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), "="); ok && !strings.HasPrefix(name, "#") {
			said[name] = value
		}
	}
	span := func(name string) time.Duration {
		d, parseErr := time.ParseDuration(said[name])
		if parseErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, parseErr))
		}
		return d
	}
	u = unit{
		start: strings.Fields(said["ExecStart"]), stopPost: strings.Fields(said["ExecStopPost"]),
		startMost: span("TimeoutStartSec"), watchdog: span("WatchdogSec"), abort: span("TimeoutAbortSec"), restartIn: span("RestartSec"),
	}
	for name, want := range map[string]string{"Type": "notify", "WatchdogSignal": "SIGKILL", "Restart": "always", "TimeoutStartFailureMode": "kill"} {
		if said[name] != want {
			err = errors.Join(err, fmt.Errorf("%s=%s: this stand-in knows %s only", name, said[name], want))
		}
	}
	if len(u.start) == 0 || len(u.stopPost) == 0 {
		err = errors.Join(err, errors.New("ExecStart and ExecStopPost are needed"))
	}
	return u, err
}

// run runs the unit for as long as that can be done, and returns why not any more.
func run(path string) error {
	u, err := readUnit(path)
	if err != nil {
		return err
	}
	said, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	for {
		if err := u.once(said); err != nil {
			return err
		}
		time.Sleep(u.restartIn)
	}
}

func command(args []string, env ...string) *exec.Cmd {
	c := exec.Command(args[0], args[1:]...)
	c.Env = append(os.Environ(), env...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c
}

// once runs the unit's program until it ends or has to be ended, and then what comes after it.
func (u unit) once(said *net.UnixConn) error {
	c := command(u.start, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC="+strconv.FormatInt(u.watchdog.Microseconds(), 10))
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	messages := make(chan string)
	stop := make(chan struct{})
	go listen(said, messages, stop)

	began, ready := time.Now(), false
	deadline := time.NewTimer(u.startMost)
	for over := false; !over; {
		select {
		case err := <-ended:
			fmt.Println("pid1: the program ended:", err)
			over = true
		case m := <-messages:
			for line := range strings.Lines(m) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				switch {
				case name == "READY":
					ready = true
					deadline.Reset(u.watchdog)
				case name == "WATCHDOG" && ready:
					deadline.Reset(u.watchdog)
				case name == "EXTEND_TIMEOUT_USEC" && !ready:
					n, _ := strconv.ParseInt(value, 10, 64)
					deadline.Reset(max(time.Duration(n)*time.Microsecond, time.Until(began.Add(u.startMost))))
				}
			}
		case <-deadline.C:
			fmt.Println("pid1: the watchdog's time is over; ready:", ready)
			_ = c.Process.Signal(syscall.SIGKILL) // what has ended meanwhile is told above
		}
	}
	close(stop)
	_ = said.SetReadDeadline(time.Now()) // wakes listen
	after := command(u.stopPost)
	fmt.Println("pid1: ExecStopPost:", after.Run())
	return said.SetReadDeadline(time.Time{})
}

// listen passes on what the program tells, until stop.
func listen(said *net.UnixConn, messages chan<- string, stop <-chan struct{}) {
	b := make([]byte, 4096)
	for {
		n, err := said.Read(b)
		select {
		case <-stop:
			return
		default:
		}
		if err != nil {
			continue
		}
		select {
		case messages <- string(b[:n]):
		case <-stop:
			return
		}
	}
}
