// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// diskSectors is the disk's size as the device mapper counts it.
const diskSectors = diskSize / 512

// healthy and failing are tables of the device mapper for the disk: one that passes everything on, and one that answers
// every write with EIO and reads as ever (dm-flakey.rst of the kernel's documentation).
var (
	healthy = fmt.Sprintf("%d linear /dev/vda 0", diskSectors)
	failing = fmt.Sprintf("%d flakey /dev/vda 0 0 3600 1 error_writes", diskSectors)
)

// shaky is a kiosk whose disk lies behind the device mapper.
type shaky struct {
	*cuts
	t   *testing.T
	m   *Machine
	end int // of the console's text so far
}

const startDaemon = "gatehoused >/dev/console 2>&1 &"

// newShaky boots it and brings it into service.
func newShaky(t *testing.T) *shaky {
	t.Helper()
	table, err := BuildGuest(t.Context(), "gatehouse/test/virtual/dmtable")
	must(t, err)
	c := newCuts(t, daemon, 2)
	c.bench.config.Files["/bin/dmtable"] = table
	c.bench.config.Modules = []string{"dax", "dm-mod", "dm-flakey"}
	c.bench.config.Start = "umount /data; dmtable create disk " + healthy + " && mount -t ext4 /dev/dm-0 /data && echo disk mapped\n" + begin
	must(t, c.bench.makeInitramfs(t.Context()))
	s := &shaky{cuts: c, t: t, m: start(t, c.bench)}
	s.end = waitLog(t, s.m, "disk mapped", 0)
	must(t, s.m.Scanner.Plug())
	shell(t, s.m, "until [ -c "+port+" ]; do usleep 20000; done")
	s.serve()
	return s
}

// serve starts the daemon and waits until scanner and gate are in service.
func (s *shaky) serve() {
	s.t.Helper()
	shell(s.t, s.m, startDaemon)
	s.end = max(waitLog(s.t, s.m, scannerRight, s.end), waitLog(s.t, s.m, gateRight, s.end))
}

// stop ends the daemon, in order or not.
func (s *shaky) stop(signal string) {
	s.t.Helper()
	shell(s.t, s.m, "killall -"+signal+" gatehoused; while pidof gatehoused; do usleep 10000; done")
	s.end = len(s.m.Console.Text())
}

// answer shows a ticket, wants the answer's texts in the log, and the relay to move exactly where it admits.
func (s *shaky) answer(p ticketOf, texts ...string) {
	s.t.Helper()
	at := time.Now()
	seen := s.show(s.t, s.m, p)
	lamp := "red0"
	if texts[0] == "outcome=admit" {
		lamp = "green0"
	}
	end := waitLog(s.t, s.m, strings.Join(texts, " "), s.end)
	edge(s.t, s.m, lamp, false, edge(s.t, s.m, lamp, true, at).At)
	must(s.t, s.m.Lines.WaitLevel(within(s.t, patience), "relay0", false))
	seen()
	if opened := s.m.Lines.Moved(at); contains(opened, "relay0") != (lamp == "green0") {
		s.t.Errorf("%v moved %v", texts, opened)
	}
	s.end = end
}

// new is a ticket that was not shown yet.
func (s *shaky) new() ticketOf {
	p := s.fleet.ticket(s.t)
	s.tickets = append(s.tickets, p)
	return p
}

func (s *shaky) admits() {
	s.t.Helper()
	s.answer(s.new(), "outcome=admit", "reason=ok")
}

func contains(list []string, name string) bool {
	for _, l := range list {
		if l == name {
			return true
		}
	}
	return false
}

// status wants the kiosk to say a fault code.
func (s *shaky) status(code string) {
	s.t.Helper()
	shell(s.t, s.m, "until gatehouse status | grep "+code+"; do usleep 100000; done")
}

// TestKioskOnAShakyDisk lets the disk stall, fill up, become read-only and fail, one after the other. Each time nobody is
// admitted who is not recorded, the kiosk says what is wrong and what to do, no lane panics, and when the disk is well
// again so is the kiosk. At the end the ledger knows every opening.
func TestKioskOnAShakyDisk(t *testing.T) {
	t.Parallel()
	s := newShaky(t)
	s.admits()
	for _, fault := range []struct {
		name string
		test func(*shaky)
	}{
		{"stalled", stalled}, {"full", filled}, {"read-only", readOnly}, {"failing", failed},
	} {
		t.Logf("the disk is %s", fault.name)
		fault.test(s)
		s.admits()
	}
	if strings.Contains(s.m.Console.Text(), "panicked") {
		t.Error("a lane panicked")
	}
	must(t, s.m.Kill())
	if err := s.check(t); err != nil {
		t.Error(err)
	}
}

// stalled: the disk takes no request for a while. The lane holds after its deadline, and takes no use.
func stalled(s *shaky) {
	shell(s.t, s.m, "dmtable suspend disk")
	p := s.new()
	s.answer(p, "outcome=wait", "reason=record_failed")
	s.status("GH-304")
	shell(s.t, s.m, "dmtable resume disk")
	// What was held is written, and the use that nobody waited for taken back.
	shell(s.t, s.m, "while gatehouse status | grep GH-304; do usleep 100000; done")
	s.answer(p, "outcome=admit", "reason=ok")
}

func filled(s *shaky) {
	shell(s.t, s.m, "fallocate -l $(($(df -k /data | tail -1 | awk '{print $4}') - 64))k /data/full; dd if=/dev/zero of=/data/full2 bs=4k 2>/dev/null; true")
	s.refuses("full")
	s.status("GH-301")
	shell(s.t, s.m, "rm /data/full /data/full2; sync")
}

// refuses shows tickets until one is refused, as the room that the ledger has left is used up first.
func (s *shaky) refuses(why string) {
	s.t.Helper()
	for range 40 {
		at := time.Now()
		seen := s.show(s.t, s.m, s.new())
		begin := waitLog(s.t, s.m, "msg=scan", s.end)
		s.end = waitLog(s.t, s.m, "\n", begin)
		line := s.m.Console.Text()[begin:s.end]
		refused := strings.Contains(line, "reason=record_failed")
		lamp := map[bool]string{true: "red0", false: "green0"}[refused]
		edge(s.t, s.m, lamp, false, edge(s.t, s.m, lamp, true, at).At)
		seen()
		if refused {
			if contains(s.m.Lines.Moved(at), "relay0") || !strings.Contains(line, why) {
				s.t.Errorf("refused with %q; moved %v", line, s.m.Lines.Moved(at))
			}
			return
		}
		if !strings.Contains(line, "outcome=admit reason=ok") {
			s.t.Fatalf("answered %q", line)
		}
	}
	s.t.Fatal("the disk takes everything")
}

// readOnly: the kernel makes every file system read-only at once. Writes to an open file then end in memory, and fsync
// says that all is well.
func readOnly(s *shaky) {
	shell(s.t, s.m, "echo u >/proc/sysrq-trigger; until grep -q ' /data ext4 ro' /proc/mounts; do usleep 20000; done")
	s.answer(s.new(), "outcome=refer", "reason=record_failed")
	s.status("GH-301")
	s.stop("KILL")
	// It says what is wrong at the start, too.
	if out, err := s.m.Shell(within(s.t, patience), "gatehoused"); err == nil || !strings.Contains(out, "kiosk cannot run") || !strings.Contains(out, "read-only") {
		s.t.Errorf("on a read-only disk gatehoused said %q, %v", out, err)
	}
	shell(s.t, s.m, "mount -o remount,rw /data")
	s.serve()
}

// failed: every write is answered with EIO.
func failed(s *shaky) {
	shell(s.t, s.m, "dmtable load disk "+failing)
	s.refuses("did not confirm")
	s.status("GH-301")
	shell(s.t, s.m, "dmtable load disk "+healthy)
	s.stop("TERM")
	shell(s.t, s.m, "umount /data && mount -t ext4 /dev/dm-0 /data")
	s.serve()
}
