// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
)

func TestEachTerminatorEndsACode(t *testing.T) {
	for name, suffix := range map[string]string{"CR": "\r", "LF": "\n", "CR LF": "\r\n", "idle gap": ""} {
		t.Run(name, func(t *testing.T) {
			r := started(t, suffix)
			for _, code := range []string{"HC1:A B", "HC1: %C "} {
				r.scan(code)
				r.expect(code)
			}
		})
	}
}

func TestAScanCarriesTimeAndSymbology(t *testing.T) {
	r := started(t, "\r")
	before := time.Now()
	r.scan(`]Q2\000026HC1:A`)
	select {
	case got := <-r.scans:
		if got.Code != "HC1:A" || got.Symbology != "]Q2" {
			t.Errorf("read %+v", got)
		}
		if got.At.Before(before) || got.At.After(time.Now()) {
			t.Errorf("read at %v, sent after %v", got.At, before)
		}
		if !strings.Contains(got.At.String(), " m=") {
			t.Errorf("the time %v has no monotonic reading", got.At)
		}
	case <-time.After(patience):
		t.Fatal("nothing read")
	}
}

// A rival's fault (Alf.ioBackoffice 16): one bad scan wedges every later scan.
func TestOneBadScanDoesNotWedgeTheNext(t *testing.T) {
	garbage := make([]byte, 256)
	for i := range garbage {
		garbage[i] = byte(i)
	}
	long := strings.Repeat("x", 3*MaxFrame)
	r := started(t, "\r")
	for i, bad := range []struct {
		sent string
		read []string
	}{
		{"\r\n\r\n", nil},
		{long + "\r", nil},
		{long + long + "\n", nil},
		{string(garbage) + "\r", []string{string(garbage[:10]), string(garbage[11:13]), string(garbage[14:])}},
		{"\x00\x00\x00\r", []string{"\x00\x00\x00"}},
		{"\xff\xfe\r", []string{"\xff\xfe"}},
		{"]Q2\\\r", []string{"\\"}},
		{"\x03\x04\x11\x13\x1a\x7f\r", []string{"\x03\x04\x11\x13\x1a\x7f"}}, // what a cooked tty acts on
	} {
		r.write(bad.sent)
		good := fmt.Sprint("good ", i)
		r.scan(good)
		r.expect(append(bad.read, good)...)
	}
	if got := r.reader.Counts().Oversized; got != 2 {
		t.Errorf("counted %d oversized codes, want 2", got)
	}
}

func TestScansBackToBackAreAllRead(t *testing.T) {
	const n = 1000
	r := started(t, "\r\n")
	codes, sent := make([]string, n), strings.Builder{}
	for i := range codes {
		codes[i] = fmt.Sprintf("HC1:%04d%s", i, strings.Repeat(" Z%", i%200))
		sent.WriteString(codes[i] + "\r\n")
	}
	r.write(sent.String())
	r.expect(codes...)
	if got, want := r.reader.Counts(), (Counts{Scans: n, Connected: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestACodeHeldInFrontIsDeliveredOnceUntilForgotten(t *testing.T) {
	r := started(t, "\r")
	r.scan("A", "A", "B", "A", "B")
	r.expect("A", "B")
	r.scan("C") // all before it is read now
	r.expect("C")
	r.reader.Forget()
	r.scan("A", "A", "D")
	r.expect("A", "D")
	if got, want := r.reader.Counts(), (Counts{Scans: 5, Repeated: 4, Connected: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestForgetFromDeliver(t *testing.T) {
	r := newRig(t, "\r")
	r.plug()
	reader, err := Open(r.config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r.ended = make(chan error, 1)
	go func() {
		r.ended <- reader.Run(ctx, func(s Scan) { reader.Forget(); r.scans <- s })
	}()
	r.reader = reader
	r.state(nil)
	r.scan("A", "A")
	r.expect("A", "A")
	stop()
	if err := <-r.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestWhatCameBeforeTheOpenIsDropped(t *testing.T) {
	r := newRig(t, "\r")
	r.plug()
	r.scan("early", "earlier")
	r.write("half a co")
	r.run(r.config())
	r.state(nil)
	r.scan("A")
	r.expect("A")
}

// A tty that nobody has opened is cooked: it turns CR into LF, holds lines back and echoes.
func TestWhatCameThroughACookedTTYIsDropped(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	if _, err := master.WriteString("early\rhalf a co"); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, "\r")
	cfg := r.config()
	cfg.Port = slave.Name()
	r.run(cfg)
	r.state(nil)
	if _, err := master.WriteString("A\r"); err != nil {
		t.Fatal(err)
	}
	r.expect("A")
}

// The rest of what was being sent is dropped up to the first silence, but a line that is never silent is
// taken up all the same.
func TestALineThatIsNeverSilentIsTakenUp(t *testing.T) {
	r := newRig(t, "\r")
	r.plug()
	quiet, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-quiet:
				ended <- nil
				return
			default:
				if err := r.device.Scan("babble"); err != nil {
					ended <- err
					return
				}
			}
		}
	}()
	r.run(r.config())
	r.state(nil)
	close(quiet)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	r.scan("A")
	for code := ""; code != "A"; {
		select {
		case scan := <-r.scans:
			code = scan.Code
		case <-time.After(patience):
			t.Fatal("the next code was not read")
		}
	}
	if logged := r.log.String(); !strings.Contains(logged, "before the port was open") || strings.Contains(logged, "babble") {
		t.Errorf("the log reads %q", logged)
	}
}

func TestUnplugAndReplug(t *testing.T) {
	r := newRig(t, "\r")
	r.plug()
	cfg := r.config()
	var tty atomic.Value // the device of this round
	held := make(chan []string, 10)
	cfg.State = func(err error) {
		if err != nil {
			held <- openOn(tty.Load().(string))
		}
		r.states <- err
	}
	tty.Store(r.tty())
	r.run(cfg)
	for round := range 3 {
		r.state(nil)
		if n := len(openOn(r.tty())); n != 2 {
			t.Fatalf("%d descriptors of the port are found, want the reader's and scannertest's", n)
		}
		r.scan(fmt.Sprint("code ", round))
		r.expect(fmt.Sprint("code ", round))
		r.write("half a co") // its other half never comes
		tty.Store(r.tty())
		r.unplug()
		says(t, r.state(ErrNoPort), "lost while in use", "plug the scanner in")
		if open := <-held; len(open) > 0 {
			t.Fatalf("the device was looked for while its old descriptor was open: %v", open)
		}
		r.plug()
	}
	r.state(nil)
	if got := r.reader.Counts(); got.Connected != 4 || got.Scans != 3 {
		t.Errorf("counts %+v, want 4 connections and 3 scans", got)
	}
}

func TestAMissingPortIsWaitedFor(t *testing.T) {
	r := newRig(t, "\r")
	r.run(r.config())
	says(t, r.state(ErrNoPort), r.device.Path(), "plug the scanner in", "/dev/serial/by-id")
	r.plug()
	r.state(nil)
	r.scan("A")
	r.expect("A")
}

func TestRunEndsPromptlyAndLeavesNothing(t *testing.T) {
	r := started(t, "\r")
	tty := r.tty()
	before := len(openOn(tty)) // one is scannertest's own
	began := time.Now()
	r.stop()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		r.ended <- nil // for the clean-up
	case <-time.After(patience):
		t.Fatal("Run did not end")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("Run took %v to end", took)
	}
	if after := len(openOn(tty)); before != 2 || after != 1 {
		t.Errorf("%d descriptors of the port while it ran, %d afterwards; want 2, 1", before, after)
	}
	var goroutines strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&goroutines, 2); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(goroutines.String(), "(*Scanner).Run") || strings.Contains(goroutines.String(), "bug.st") {
		t.Errorf("a goroutine is left:\n%s", &goroutines)
	}
}

func TestRunTwiceIsRefused(t *testing.T) {
	r := started(t, "\r")
	if err := r.reader.Run(t.Context(), nil); !errors.Is(err, ErrRunning) {
		t.Errorf("a second Run: %v, want ErrRunning", err)
	}
	r.scan("A")
	r.expect("A")
}

func TestAPanicInDeliverPassesThroughAClosedPort(t *testing.T) {
	r := newRig(t, "\r")
	r.plug()
	reader, err := Open(r.config())
	if err != nil {
		t.Fatal(err)
	}
	r.ended = make(chan error, 1)
	go func() {
		defer func() { r.ended <- fmt.Errorf("%v", recover()) }()
		_ = reader.Run(t.Context(), func(Scan) { panic("of deliver") })
	}()
	r.state(nil)
	r.scan("A")
	if err := <-r.ended; err.Error() != "of deliver" {
		t.Errorf("Run: %v", err)
	}
	if held := openOn(r.tty()); len(held) != 1 {
		t.Errorf("descriptors of the port: %v, want only scannertest's", held)
	}
	if err := reader.Run(cancelled(t), nil); err != nil {
		t.Errorf("Run again: %v", err)
	}
}

func TestLogsHoldNoCode(t *testing.T) {
	r := newRig(t, "\r")
	r.plug()
	cfg := r.config()
	cfg.Baud = 9600
	r.run(cfg)
	r.state(nil)
	r.scan("SECRET", "SECRET", strings.Repeat("SECRET", 1000), "A")
	r.expect("SECRET", "A")
	r.unplug()
	says(t, r.state(ErrNoPort))
	logged := r.log.String()
	if strings.Contains(logged, "SECRET") {
		t.Errorf("a code was logged:\n%s", logged)
	}
	for _, want := range []string{"baud=9600", "too long"} {
		if !strings.Contains(logged, want) {
			t.Errorf("the log does not tell %q:\n%s", want, logged)
		}
	}
}

// says checks an error's text: the subject first, what to do, and never a code.
func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	if !strings.HasPrefix(err.Error(), "scanner: ") || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error reads %q", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	return ctx
}

// BenchmarkPty measures from the moment the last byte is written to the moment the code is delivered.
func BenchmarkPty(b *testing.B) {
	r := started(b, "\r")
	text := strings.Repeat("6BF+70790T9WJWG.FKY*4GO0.", 16)[:390]
	took := make([]time.Duration, 0, 1024)
	for i := 0; b.Loop(); i++ {
		code := fmt.Sprintf("HC1:%06d%s", i, text)
		r.write(code)
		began := time.Now()
		r.write("\r")
		got := <-r.scans
		took = append(took, time.Since(began))
		if got.Code != code {
			b.Fatalf("read %q", got.Code)
		}
	}
	b.ReportMetric(float64(median(took).Nanoseconds()), "p50-ns/scan")
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
