// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const verifyOutput = `goos: linux
BenchmarkVerifyGH1-2     	    2830	     79758 ns/op	       243.0 chars	         1.090 ratio	     75674 raw-ns/op
BenchmarkVerifyGH1-2     	    1904	     86625 ns/op	       243.0 chars	         1.050 ratio	     79793 raw-ns/op
BenchmarkVerifyGH1       	    2008	     80571 ns/op	       243.0 chars	         1.070 ratio	     74607 raw-ns/op
BenchmarkVerifyGH1Long-2 	    2008	         1 ns/op	         0.1 ratio
PASS
`

func TestMedianRoundIsReported(t *testing.T) {
	b := benchmark{name: "BenchmarkVerifyGH1", value: "ns/op", unit: "ns", against: "raw", goal: 1.35}
	b.more = []number{{name: "chars", value: "chars", unit: "B", ratio: "raw-ns/op", against: "none", goal: 74000}}
	got, err := b.rows(verifyOutput)
	want := []row{{Name: "VerifyGH1", Value: 80571, Unit: "ns", Against: "raw", Ratio: 1.07, Goal: 1.35, Met: true},
		{Name: "VerifyGH1/chars", Value: 243, Unit: "B", Against: "none", Ratio: 74607, Goal: 74000}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	b.goal = 1.06
	if got, err := b.rows(verifyOutput); err != nil || got[0].Met {
		t.Errorf("a ratio of 1.07 meets 1.06: %+v, %v", got, err)
	}
}

func TestOutputWithoutTheNumber(t *testing.T) {
	floor := benchmark{name: "BenchmarkVerifyGH1", value: "p50-µs"}
	for out, complaint := range map[string]string{
		"PASS\n":     "did not run",
		verifyOutput: "reports no p50-µs",
		"BenchmarkVerifyGH1-2 200 fast p50-µs\n": `"fast" is no number`,
	} {
		if _, err := floor.rows(out); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("got %v, want %s", err, complaint)
		}
	}
	floor.against = "raw"
	if _, err := floor.rows("BenchmarkVerifyGH1-2 200 5 p50-µs\n"); err == nil || !strings.Contains(err.Error(), "no ratio") {
		t.Errorf("without its ratio: %v", err)
	}
}

func TestTable(t *testing.T) {
	var text strings.Builder
	err := table(&text, []row{
		{Name: "Fast", Value: 12345, Unit: "ns", Against: "floor", Ratio: 1.2, Goal: 1.35, Met: true},
		{Name: "Slow", Value: 2, Unit: "µs", Against: "floor", Ratio: 2, Goal: 1.5},
		{Name: "Size", Value: 8.7164, Unit: "MB", Met: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for l := range strings.Lines(text.String()) {
		got = append(got, strings.Join(strings.Fields(l), " "))
	}
	want := []string{"name value unit ratio goal met against", "Fast 12345 ns 1.200 ≤ 1.35 yes floor", "Slow 2 µs 2.000 ≤ 1.5 NO floor", "Size 8.716 MB"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRowHasAllMembers(t *testing.T) {
	text, err := json.Marshal(row{Name: "Size", Value: 1, Unit: "MB", Met: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"name":"Size","value":1,"unit":"MB","against":"","ratio":0,"goal":0,"met":true}`; string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

func TestStatusField(t *testing.T) {
	const status = "Name:\tgatehoused\nVmRSS:\t   14336 kB\nRssAnon:\t    none\n"
	if kB, err := statusField(status, "VmRSS"); err != nil || kB != 14336 {
		t.Errorf("got %d, %v", kB, err)
	}
	for _, name := range []string{"RssAnon", "VmSwap"} {
		if _, err := statusField(status, name); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// A program that does not start, and one that ends without a report: the error has what it wrote.
func TestProgramThatIsNotReady(t *testing.T) {
	m, err := newManager(filepath.Join(t.TempDir(), "notify"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	if _, err := m.start(t.Context(), []string{filepath.Join(t.TempDir(), "nothing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := m.start(t.Context(), []string{"sh", "-c", "echo no config; exit 78"}); err == nil ||
		!strings.Contains(err.Error(), "no config") || !strings.Contains(err.Error(), "exit status 78") {
		t.Errorf("got %v", err)
	}
}
