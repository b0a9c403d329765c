// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/gate"
)

// BenchmarkScanToRelay measures a whole kiosk: from just before a pass is written to the pty, terminator and all, to the
// relay's edge on the simulated board. In between lies exactly one durable commit. Scan by scan the floor takes its
// turn with the same signature, the same number of bytes and the same disk. Its ns/op is the median; ratio is that of
// the medians.
func BenchmarkScanToRelay(b *testing.B) { benchmarkScan(b, false) }

// BenchmarkScanToRelayNoSync is the same with the fsync left out on both sides: what the kiosk itself adds.
func BenchmarkScanToRelayNoSync(b *testing.B) { benchmarkScan(b, true) }

// BenchmarkScanFloor is the floor alone.
func BenchmarkScanFloor(b *testing.B) {
	k := newScanBench(b, false)
	f := newFloor(b, k)
	var took []time.Duration
	for b.Loop() {
		k.pass(credential.Claims{})
		took = append(took, f.scan())
	}
	reportTimes(b, "", took)
}

func benchmarkScan(b *testing.B, noSync bool) {
	k := newScanBench(b, noSync)
	f := newFloor(b, k)
	k.start()
	defer k.halt()
	var scans, floors []time.Duration
	for b.Loop() {
		code := k.pass(credential.Claims{})
		floors = append(floors, f.scan())
		scans = append(scans, k.timedScan(code))
	}
	floor := reportTimes(b, "floor-", floors)
	b.ReportMetric(float64(reportTimes(b, "", scans))/float64(floor), "ratio")
}

// reportTimes reports what was measured and returns its median.
func reportTimes(b *testing.B, name string, took []time.Duration) (median time.Duration) {
	slices.Sort(took)
	median = took[len(took)/2]
	b.ReportMetric(float64(median)/1e3, name+"p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100])/1e3, name+"p99-µs")
	if name == "" {
		b.ReportMetric(float64(median), "ns/op")
	}
	return median
}

// newScanBench is a kiosk on a disk that believes its venue and has admitted one guest. It does not run.
func newScanBench(b *testing.B, noSync bool) *bench {
	k := newBench(b)
	dir := filepath.Dir(k.cfg.State)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		b.Fatal(err)
	}
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
		b.Fatalf("%s is in memory, where a commit costs nothing; set TMPDIR to a folder on a disk", dir)
	}
	k.cfg.noSync = noSync
	k.cfg.Lanes[0].Pulse = entry.Duration(gate.MinPulse)
	k.venue.issuer.Signer = &recorder{Signer: k.venue.issuer.Signer}
	k.start()
	k.importBundle()
	k.expect("ok", k.pass(credential.Claims{}))
	if err := k.halt(); err != nil {
		b.Fatal(err)
	}
	return k
}

// timedScan is scanToRelay, and makes sure of exactly one commit.
func (b *bench) timedScan(code string) time.Duration {
	b.tb.Helper()
	before := b.commits()
	took := b.scanToRelay(code)
	if n := b.commits() - before; n != 1 {
		b.tb.Fatalf("a scan made %d commits, want exactly one\n%s", n, b.log)
	}
	return took
}

// scanToRelay shows a pass to a lane at rest and returns the time until the relay was up, after the end of the pulse.
func (b *bench) scanToRelay(code string) time.Duration {
	b.tb.Helper()
	ctx := b.ctx()
	mark := b.board.Mark()
	start := time.Now()
	if err := b.scanner.Scan(code); err != nil {
		b.tb.Fatal(err)
	}
	up, err := b.board.WaitEdge(ctx, mark, "in-1", gate.Relay, true)
	if err != nil {
		b.tb.Fatalf("%v\n%s", err, b.log)
	}
	if _, err := b.board.WaitEdge(ctx, mark, "in-1", gate.Green, false); err != nil { // the last of a pulse
		b.tb.Fatal(err)
	}
	return up.Time.Sub(start)
}

func (b *bench) commits() uint64 {
	b.tb.Helper()
	return b.waitStatus("status", func(*client.Status) bool { return true }).Ledger.Commits
}

// recorder keeps what was signed last.
type recorder struct {
	crypto.Signer
	message, signature []byte
}

func (r *recorder) Sign(rand io.Reader, message []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	r.signature, err = r.Signer.Sign(rand, message, opts)
	r.message = bytes.Clone(message)
	return r.signature, err
}

// floor is the least that an admission costs: the signature of the pass checked, and its record made durable.
type floor struct {
	b      *testing.B
	issued *recorder
	key    ed25519.PublicKey
	db     *bbolt.DB
	record []byte
	scans  uint64
}

var floorBucket = []byte("scans")

// newFloor opens a database beside the kiosk's, with the ledger's options. Its record is as long as the kiosk's.
func newFloor(b *testing.B, k *bench) *floor {
	b.Helper()
	issued := k.venue.issuer.Signer.(*recorder)
	f := &floor{b: b, issued: issued, key: issued.Public().(ed25519.PublicKey), record: make([]byte, recordSize(b, k))}
	_, _ = rand.Read(f.record) // never fails
	f.db = f.open(filepath.Join(k.cfg.State, "floor.db"), k.cfg.noSync)
	if err := f.db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(floorBucket); return err }); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.db.Close() })
	return f
}

func (f *floor) open(path string, noSync bool) *bbolt.DB {
	f.b.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		PageSize: 4096, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 256 << 20, NoStatistics: true, NoSync: noSync,
	})
	if err != nil {
		f.b.Fatal(err)
	}
	return db
}

// recordSize is how many bytes the last admission left in the ledger: keys and values of its event and its use.
func recordSize(b *testing.B, k *bench) (size int) {
	b.Helper()
	db, err := bbolt.Open(filepath.Join(k.cfg.State, "ledger.db"), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		for _, name := range []string{"events", "uses"} {
			key, value := tx.Bucket([]byte(name)).Cursor().Last()
			if key == nil {
				return fmt.Errorf("no %s in the ledger", name)
			}
			size += len(key) + len(value)
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		b.Fatal(err)
	}
	return size
}

// scan does for the pass that was issued last what no kiosk can leave out.
func (f *floor) scan() time.Duration {
	f.b.Helper()
	f.scans++
	start := time.Now()
	if !ed25519.Verify(f.key, f.issued.message, f.issued.signature) {
		f.b.Fatal("the raw signature check fails")
	}
	err := f.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(floorBucket).Put(binary.BigEndian.AppendUint64(nil, f.scans), f.record[8:])
	})
	if err != nil {
		f.b.Fatal(err)
	}
	return time.Since(start)
}
