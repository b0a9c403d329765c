// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// benchmark is one of go test's and what becomes of its metrics.
type benchmark struct {
	pkg, name   string
	time        string // -benchtime
	rounds      int    // -count; the round with the median ratio is reported
	value, unit string // the metric to report
	against     string // what its ratio metric is to; "" where it has none
	goal        float64
	more        []number // of the same round
}

// number is a further metric of a benchmark, with a ratio of its own.
type number struct {
	name        string
	value, unit string
	ratio       string // the metric
	against     string
	goal        float64
}

func benchmarks() []benchmark {
	verify := func(name, floor string) benchmark {
		return benchmark{"./credential", name, "300ms", 5, "ns/op", "ns", floor, 1.35, nil}
	}
	scan := func(name, floor string, goal float64) benchmark {
		return benchmark{"./device", name, "200x", 1, "p50-µs", "µs", floor, goal, nil}
	}
	network := func(name string, rounds int, value, unit, against string, goal float64, more ...number) benchmark {
		return benchmark{"./test/broker", name, "1x", rounds, value, unit, against, goal, more}
	}
	memory := number{"anonymous memory", "memory-MB", "MB", "memory-ratio", "8 MB more than at rest", 1}
	sent := number{"batches sent", "batches", "", "sent-ratio", "the batches that there are", 3}
	return []benchmark{
		verify("BenchmarkVerifyGH1", "raw ed25519.Verify"),
		verify("BenchmarkVerifyHC1ES256", "raw ecdsa.Verify"),
		verify("BenchmarkVerifyHC1PS256", "raw rsa.VerifyPSS"),
		scan("BenchmarkScanToRelay", "raw signature check + one fsynced bbolt commit", 1.5),
		scan("BenchmarkScanToRelayNoSync", "the same floor without fsync", 3),
		scan("BenchmarkScanFloor", "", 0),
		{"./device", "BenchmarkScanToRelayFull", "200x", 5, "p50-µs", "µs", "a kiosk that remembers and revokes nothing", 1.05, nil},
		{"./device", "BenchmarkScanToRelayWhileApplying", "400x", 5, "p99-µs", "µs", "p99 of the same kiosk at rest, in turn", 2, nil},
		network("BenchmarkScanToRelayWhileABaseArrives", 5, "p99-µs", "µs", "p99 of the same kiosk at rest, in turn", 2),
		network("BenchmarkScanToRelayWhileEventsLeave", 5, "p99-µs", "µs", "p99 of the same kiosk at rest, in turn", 2),
		network("BenchmarkDeliver", 1, "events/s", "1/s", "the time in which the collector takes the same batches from memory", 2, memory),
		network("BenchmarkRegionComesBack", 1, "s", "s", "the time in which the collector takes the same batches from memory", 3, sent),
		{"./test/broker", "BenchmarkRevocationToRefusal", "200x", 1, "p99-ms", "ms", "a second", 1, nil},
		network("BenchmarkBaseThroughCuts", 1, "sent-twice-%", "%", "3 % of the bytes", 1),
		network("BenchmarkIdleHour", 1, "kB/h", "kB/h", "100 kB", 1),
	}
}

// tries is how often a benchmark may fail before that is the answer: a machine that stands still for a third of a second
// makes a gate's watch close the lane, as it should.
const tries = 3

// run runs the benchmark by itself, so that no other disturbs it.
func (b benchmark) run(ctx context.Context) ([]row, error) {
	fmt.Fprintln(os.Stderr, "running", b.name)
	for try := 1; ; try++ {
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+b.name+"$",
			"-benchtime", b.time, "-count", strconv.Itoa(b.rounds), "-timeout", "1h", b.pkg)
		out, err := cmd.CombinedOutput()
		switch {
		case err == nil:
			return b.rows(string(out))
		case try == tries || ctx.Err() != nil || !strings.Contains(string(out), "--- FAIL"): // it did not even run
			return nil, fmt.Errorf("%s: %w\n%s", b.name, err, out)
		}
		fmt.Fprintf(os.Stderr, "%s failed and is tried again: %v\n%s", b.name, err, out)
	}
}

// rows are the benchmark's results in go test's output: of the round with the median ratio.
func (b benchmark) rows(out string) ([]row, error) {
	rounds, err := parse(out, b.name)
	if err != nil {
		return nil, err
	}
	by := b.value
	if b.against != "" {
		by = "ratio"
	}
	numbers := []number{{"", b.value, b.unit, by, b.against, b.goal}}
	for _, n := range b.more {
		n.name = "/" + n.name
		numbers = append(numbers, n)
	}
	for _, metrics := range rounds {
		for _, n := range numbers {
			for _, name := range []string{n.value, n.ratio} {
				if _, ok := metrics[name]; !ok {
					return nil, fmt.Errorf("%s reports no %s:\n%s", b.name, name, out)
				}
			}
		}
	}
	slices.SortFunc(rounds, func(x, y map[string]float64) int { return cmp.Compare(x[by], y[by]) })
	metrics := rounds[len(rounds)/2]
	var rows []row
	for _, n := range numbers {
		r := row{Name: strings.TrimPrefix(b.name, "Benchmark") + n.name, Value: metrics[n.value], Unit: n.unit, Against: n.against, Goal: n.goal, Met: true}
		if n.against != "" {
			r.Ratio = metrics[n.ratio]
			r.Met = r.Ratio <= n.goal
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// parse reads the metrics of each round of a benchmark from go test's output: after the count, pairs of a number and its
// unit.
func parse(out, name string) (rounds []map[string]float64, err error) {
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 4 || (f[0] != name && !strings.HasPrefix(f[0], name+"-")) {
			continue
		}
		metrics := map[string]float64{}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %q is no number: %w", name, f[i], err)
			}
			metrics[f[i+1]] = v
		}
		rounds = append(rounds, metrics)
	}
	if len(rounds) == 0 {
		return nil, fmt.Errorf("%s did not run:\n%s", name, out)
	}
	return rounds, nil
}
