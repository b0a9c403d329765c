// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gatehouse/cache"
	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
)

func newTestHealth() (*health, *handClock, *logBuffer) {
	h, log := &handClock{wall: winter, boot: cache.Boot{ID: "one", Elapsed: time.Hour}}, new(logBuffer)
	return newHealth(h.clock(), slog.New(slog.NewTextHandler(log, nil))), h, log
}

func codes(list []client.Condition) string {
	var all []string
	for _, c := range list {
		text := c.Code
		if c.Lane != "" {
			text += "/" + c.Lane
		}
		if c.LeadsTo != nil {
			text += "(" + codes(c.LeadsTo) + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func (h *health) expect(t *testing.T, want string) []client.Condition {
	t.Helper()
	list := h.conditions()
	if got := codes(list); got != want {
		t.Errorf("the conditions are %q, want %q", got, want)
	}
	return list
}

var errWrong = errors.New("wrong")

func delayOf(t *testing.T, c condition.Code) time.Duration {
	t.Helper()
	row, ok := condition.Of(c)
	if !ok {
		t.Fatal("no row", c)
	}
	return row.Delay
}

// A replug is no alarm: it is logged at once and shows only when it lasts, whatever the wall clock does meanwhile.
func TestConditionShowsWhenItLasts(t *testing.T) {
	h, clock, log := newTestHealth()
	lane, delay := h.of("in-1"), delayOf(t, condition.Scanner)
	lane.set(condition.Scanner, errWrong)
	if !strings.Contains(log.String(), `msg=condition condition="lane in-1 scanner" code=GH-101 error=wrong`) {
		t.Errorf("the log is %s", log)
	}
	clock.set(func(h *handClock) { h.wall = h.wall.AddDate(10, 0, 0) })
	clock.pass(delay - 1)
	h.expect(t, "")
	clock.pass(1)
	c := h.expect(t, "GH-101/in-1")[0]
	if want := winter.AddDate(10, 0, 0); !c.Since.Equal(want) || c.Name != "lane in-1 scanner" || c.Severity != "error" || c.Text != "wrong" || c.Times != 1 {
		t.Errorf("%+v, want it since %v", c, want)
	}
	lane.set(condition.Scanner, nil)
	h.expect(t, "")
	if !strings.Contains(log.String(), `msg="condition over" condition="lane in-1 scanner" code=GH-101 lasted=5s`) {
		t.Errorf("the log is %s", log)
	}
}

// A loose plug that comes and goes faster than the delay shows all the same; after a while of calm it is forgotten.
func TestConditionThatComesAndGoesShows(t *testing.T) {
	h, clock, _ := newTestHealth()
	lane, delay := h.of("in-1"), delayOf(t, condition.Scanner)
	times := 0
	for began := clock.boot.Elapsed; clock.boot.Elapsed-began < delay; clock.pass(time.Second) {
		h.expect(t, "")
		lane.set(condition.Scanner, errWrong)
		h.expect(t, "")
		times++
		clock.pass(time.Second)
		lane.set(condition.Scanner, nil)
	}
	lane.set(condition.Scanner, errWrong)
	if c := h.expect(t, "GH-101/in-1"); len(c) == 1 && c[0].Times != times+1 {
		t.Errorf("it came %d times, and %d are told", times+1, c[0].Times)
	}
	lane.set(condition.Scanner, nil)
	clock.pass(calm)
	lane.set(condition.Scanner, errWrong)
	h.expect(t, "")
	clock.pass(delay)
	if c := h.expect(t, "GH-101/in-1"); len(c) == 1 && c[0].Times != 1 {
		t.Errorf("after the calm it came once, and %d times are told", c[0].Times)
	}
}

func TestConditionIsToldUnderItsCause(t *testing.T) {
	h, _, _ := newTestHealth()
	h.set(condition.Record, errWrong)
	h.set(condition.Ledger, errWrong)
	h.set(condition.FloorWrite, errWrong)
	h.expect(t, "GH-301(GH-302) GH-603")
	h.set(condition.DiskSpace, errWrong)
	h.expect(t, "GH-601(GH-301(GH-302) GH-603)")
	h.set(condition.RecordStalled, errWrong)
	h.expect(t, "GH-304(GH-301(GH-302)) GH-601(GH-603)")
	h.set(condition.RecordStalled, nil)
	h.set(condition.Record, nil)
	h.set(condition.FloorWrite, nil)
	h.expect(t, "GH-302 GH-601")

	later, clock, _ := newTestHealth()
	later.set(condition.DataStale, errWrong)
	clock.pass(delayOf(t, condition.DataStale) - time.Second)
	later.set(condition.Clock, errWrong)
	clock.pass(time.Second)
	later.expect(t, "GH-405") // its cause is not old enough to show
	clock.pass(delayOf(t, condition.Clock))
	later.expect(t, "GH-501(GH-405)")
}

// A record that is late is not lost, and is told apart from one that is. It ends with a write in time.
func TestLateRecordIsTold(t *testing.T) {
	h, _, _ := newTestHealth()
	k := &kiosk{health: h}
	k.recorded(fmt.Errorf("settle: %w", entry.ErrLate))
	h.expect(t, "GH-304")
	k.recorded(errWrong) // so many wait that there is no room for another
	h.expect(t, "GH-304(GH-301)")
	k.recorded(nil)
	h.expect(t, "")
}

// The status has a line for a condition, also where its error has a stack.
func TestTextIsOneLine(t *testing.T) {
	h, clock, log := newTestHealth()
	h.of("in-1").set(condition.Gate, errors.Join(errWrong, errors.New(strings.Repeat("é\n", 1000))))
	clock.pass(time.Minute)
	for _, text := range []string{h.of("in-1").text("well", condition.Gate), h.expect(t, "GH-201/in-1")[0].Text} {
		if !strings.HasPrefix(text, "wrong; é; é; ") || len(text) > longestText+10 || strings.Contains(text, "\n") || !utf8.ValidString(text) {
			t.Errorf("got %q", text)
		}
	}
	if !strings.Contains(log.String(), strings.Repeat(`é\n`, 999)) {
		t.Error("the log has not all of it")
	}
}

func TestLanesAreToldApart(t *testing.T) {
	h, clock, log := newTestHealth()
	for _, lane := range []string{"out-1", "in-1"} {
		h.of(lane).begin(condition.Gate, errWrong)
	}
	if log.String() != "" {
		t.Errorf("what is not well yet was logged: %s", log)
	}
	clock.pass(time.Minute)
	h.expect(t, "GH-201/in-1 GH-201/out-1")
	h.of("in-1").set(condition.Gate, nil)
	h.expect(t, "GH-201/out-1")
	if a, b := h.of("in-1").text("well", condition.Gate), h.of("out-1").text("well", condition.Gate); a != "well" || b != "wrong" {
		t.Errorf("the lanes are %q and %q", a, b)
	}
}

func TestLittleSpaceIsTold(t *testing.T) {
	for _, disk := range []struct {
		free, size uint64
		low        bool
	}{{128 << 20, 32 << 30, false}, {128<<20 - 1, 32 << 30, true}, {0, 32 << 30, true}, {7 << 20, 64 << 20, false}, {6 << 20, 64 << 20, true}, {0, 0, false}} {
		if err := checkSpace("state", disk.free, disk.size); errors.Is(err, errLowSpace) != disk.low {
			t.Errorf("%+v: %v", disk, err)
		}
	}
	if _, err := diskSpace(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there has room")
	}
}

// TestEveryConditionIsOfTheTable reads this package: a condition is named by a constant of the table, one of a lane is
// told by the lane and one of the kiosk by the kiosk, and no row is without use.
func TestEveryConditionIsOfTheTable(t *testing.T) {
	rows := map[string]condition.Row{} // by the constant's name
	for name, code := range constants(t) {
		rows[name], _ = condition.Of(condition.Code(code))
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && isIdent(s.X, "condition") {
				used[s.Sel.Name] = true
			}
			if call, ok := n.(*ast.CallExpr); ok {
				checkReport(t, path, call, rows)
			}
			return true
		})
	}
	for name, row := range rows {
		if row.Code == "" {
			t.Errorf("condition.%s has no row", name)
		}
		if !used[name] {
			t.Errorf("condition.%s (%s) is declared and nothing tells it", name, row.Code)
		}
	}
}

// constants are the names of the codes in the table's file.
func constants(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("condition", "table.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && isIdent(v.Type, "Code") {
			found[v.Names[0].Name] = strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)
		}
		return true
	})
	if len(found) == 0 {
		t.Fatal("no codes were found; the test would see nothing")
	}
	return found
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// checkReport looks at a call of set or begin of somebody's health.
func checkReport(t *testing.T, path string, call *ast.CallExpr, rows map[string]condition.Row) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"set", "begin"}, method.Sel.Name) || path == "health.go" {
		return
	}
	health, ok := method.X.(*ast.SelectorExpr)
	if !ok || health.Sel.Name != "health" {
		return
	}
	if isIdent(call.Args[0], "broken") { // lane.keep, which is told by its callers
		return
	}
	code, ok := call.Args[0].(*ast.SelectorExpr)
	if !ok || !isIdent(code.X, "condition") {
		t.Errorf("%s: a condition is not named by a constant of the table", path)
		return
	}
	if perLane := isIdent(health.X, "l"); perLane != rows[code.Sel.Name].PerLane {
		t.Errorf("%s: condition.%s: of a lane or of the kiosk?", path, code.Sel.Name)
	}
}
