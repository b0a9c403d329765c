// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// benchmark is one of go test's and what becomes of its metrics.
type benchmark struct {
	pkg, name, time string
	value, unit     string // the metric to report
	against         string // what its ratio metric is to; "" where it has none
	goal            float64
}

func benchmarks() []benchmark {
	verify := func(name, floor string) benchmark {
		return benchmark{"./credential", name, "300ms", "ns/op", "ns", floor, 1.35}
	}
	return []benchmark{
		verify("BenchmarkVerifyGH1", "raw ed25519.Verify"),
		verify("BenchmarkVerifyHC1ES256", "raw ecdsa.Verify"),
		verify("BenchmarkVerifyHC1PS256", "raw rsa.VerifyPSS"),
		{"./device", "BenchmarkScanToRelay", "200x", "p50-µs", "µs", "raw signature check + one fsynced bbolt commit", 1.5},
		{"./device", "BenchmarkScanToRelayNoSync", "200x", "p50-µs", "µs", "the same floor without fsync", 3},
		{"./device", "BenchmarkScanFloor", "200x", "p50-µs", "µs", "", 0},
	}
}

// run runs the benchmark by itself, so that no other disturbs it.
func (b benchmark) run(ctx context.Context) ([]row, error) {
	fmt.Fprintf(os.Stderr, "running %s\n", b.name)
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+b.name+"$", "-benchtime", b.time, b.pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", b.name, err, out)
	}
	metrics, err := parse(string(out), b.name)
	if err != nil {
		return nil, err
	}
	r := row{Name: strings.TrimPrefix(b.name, "Benchmark"), Unit: b.unit, Against: b.against, Goal: b.goal, Met: true}
	var ok bool
	if r.Value, ok = metrics[b.value]; !ok {
		return nil, fmt.Errorf("%s reports no %s:\n%s", b.name, b.value, out)
	}
	if b.against != "" {
		if r.Ratio, ok = metrics["ratio"]; !ok {
			return nil, fmt.Errorf("%s reports no ratio:\n%s", b.name, out)
		}
		r.Met = r.Ratio <= b.goal
	}
	return []row{r}, nil
}

// parse reads the metrics of one benchmark from go test's output: pairs of a number and its unit after the count.
func parse(out, name string) (map[string]float64, error) {
	metrics := map[string]float64{}
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 4 || (f[0] != name && !strings.HasPrefix(f[0], name+"-")) {
			continue
		}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %q is no number: %w", name, f[i], err)
			}
			metrics[f[i+1]] = v
		}
		return metrics, nil
	}
	return nil, fmt.Errorf("%s did not run:\n%s", name, out)
}
