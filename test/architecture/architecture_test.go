// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package architecture

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "gatehouse"

// pkg is what `go list` tells of a package.
type pkg struct {
	ImportPath, Dir, Name, Doc string
	Imports, Deps              []string
	GoFiles                    []string
	TestGoFiles, XTestGoFiles  []string
	IgnoredGoFiles             []string
}

// room is the path of a package inside the module.
func (p pkg) room() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found %d packages; the test would see nothing", len(all))
	}
	return all
}

// within tells whether a path is a package or lies below it.
func within(path, top string) bool { return path == top || strings.HasPrefix(path, top+"/") }

func TestForbiddenDependencies(t *testing.T) {
	const (
		bbolt  = "go.etcd.io/bbolt"
		paho   = "github.com/eclipse/paho.mqtt.golang"
		periph = "periph.io/x"
		serial = "go.bug.st/serial"
		own    = module + "/"
	)
	rules := []struct{ room, not, why string }{
		{"credential", bbolt, "a verifier is pure: it gets its keys by an argument"},
		{"credential", paho, "a verifier is pure: it knows no network"},
		{"credential", periph, "a verifier is pure: it knows no hardware"},
		{"credential", serial, "a verifier is pure: it knows no hardware"},
		{"credential", "net/http", "a verifier is pure: it knows no network"},
		{"credential", own + "device", "device composes the rooms and no room knows it"},
		{"scanner", bbolt, "bytes become scans without a store"},
		{"scanner", paho, "bytes become scans without a network"},
		{"scanner", periph, "a scanner is a serial line, not a pin"},
		{"scanner", own + "device", "device composes the rooms and no room knows it"},
		{"entry", bbolt, "a decision asks interfaces, so that it can be replayed without a disk"},
		{"entry", paho, "nothing on the path of a scan waits for a network"},
		{"entry", periph, "a decision makes a grant; only a gate moves a line"},
		{"entry", own + "device", "device composes the rooms and no room knows it"},
		{"gate", bbolt, "people leave whatever a store thinks"},
		{"gate", own + "cache", "people leave whatever a store thinks"},
		{"fleet", bbolt, "documents are verified before anything is stored"},
		{"cache", own + "sync", "cache and sync never import each other: device joins them"},
		{"cache", paho, "a document is believed for its signatures, not for its transport"},
		{"sync", own + "cache", "cache and sync never import each other: device joins them"},
		{"sync", bbolt, "sync owns no store"},
		{"cmd/gatehoused", "database/sql", "the daemon has no SQL store"},
		{"cmd/gatehoused", "modernc.org/sqlite", "the daemon has no SQL store"},
		{"cmd/gatehoused", "github.com/mochi-mqtt/server/v2", "the daemon has no embedded broker"},
		{"cmd/gatehoused", "testing", "the daemon links no test double"},
		{"cmd/gatehoused", own + "gate/gatetest", "the daemon links no test double"},
		{"cmd/gatehoused", own + "scanner/scannertest", "the daemon links no test double"},
		{"cmd/gatehoused", own + "entry/entrytest", "the daemon links no test double"},
		{"cmd/gatehoused", own + "credential/credentialtest", "the daemon links no test double"},
		{"cmd/gatehoused", own + "fleet/folder", "the operator's keys have no business on a kiosk"},
		{"cmd/gatehouse", bbolt, "a live daemon is asked; its database is never opened beside it"},
		{"device/client", bbolt, "the client is shapes and a socket"},
	}
	for _, p := range list(t) {
		for _, r := range rules {
			if p.room() != r.room {
				continue
			}
			for _, d := range p.Deps {
				if within(d, r.not) {
					t.Errorf("%s reaches %s: %s", p.ImportPath, d, r.why)
				}
			}
		}
	}
}

// TestArrows holds the second column of the plan: what a room may import of ours.
func TestArrows(t *testing.T) {
	may := map[string][]string{
		"credential":                {},
		"credential/credentialtest": {"credential"},
		"scanner":                   {},
		"scanner/scannertest":       {"scanner"},
		"entry":                     {"credential"},
		"entry/entrytest":           {"credential", "entry"},
		"gate":                      {"entry"},
		"gate/gatetest":             {"gate"},
		"gate/gpio":                 {"gate"},
		"fleet":                     {"credential", "entry"},
		"fleet/folder":              {"credential", "entry", "fleet", "yamlfile"},
		"fleet/collector":           {"entry", "fleet"},
		"fleet/centre":              {"fleet", "fleet/collector", "sync"},
		"yamlfile":                  {},
		"manual":                    {},
		"manual/manualtest":         {"manual"},
		"cache":                     {"credential", "entry", "fleet"},
		"sync":                      {"entry", "fleet"},
		"sync/mqtttest":             {},
		"device":                    {"cache", "credential", "device/client", "device/condition", "entry", "fleet", "gate", "gate/gpio", "scanner", "sync", "yamlfile"},
		"device/client":             {},
		"device/condition":          {},
		"cmd/gatehoused":            {"device"},
		"cmd/gatehouse":             {"credential", "device/client", "device/condition", "entry", "manual", "scanner"},
		"cmd/gatehouse-fleet":       {"credential", "fleet", "fleet/centre", "fleet/collector", "fleet/folder", "manual", "sync"},
		"cmd/gatehouse-demo":        nil, // any: it is the whole house on a stage
	}
	for _, p := range list(t) {
		room := p.room()
		if within(room, "test") {
			continue
		}
		allowed, known := may[room]
		if !known {
			t.Errorf("%s is a new room: write into the plan what it is and what it may import", room)
			continue
		}
		for _, i := range p.Imports {
			if !within(i, module) {
				continue
			}
			if to := strings.TrimPrefix(i, module+"/"); within(to, "test") {
				t.Errorf("%s imports %s: nothing imports the whole-system tests", room, to)
			} else if allowed != nil && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s, which the plan does not draw", room, to)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, p := range list(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment: a package needs a sentence of what it is", p.ImportPath)
		}
		for _, vague := range []string{"util", "utils", "helper", "helpers", "common", "manager", "misc", "lib", "shared"} {
			if filepath.Base(p.ImportPath) == vague {
				t.Errorf("%s: %s is no subject", p.ImportPath, vague)
			}
		}
	}
}

// TestSyncing holds that what forgets in a power cut is in no build but the virtual bench's own.
func TestSyncing(t *testing.T) {
	for _, p := range list(t) {
		if p.room() == "device" && (slices.Contains(p.GoFiles, "nosync.go") || !slices.Contains(p.IgnoredGoFiles, "nosync.go")) {
			t.Error("device/nosync.go is part of a normal build: what is acknowledged would be lost in a power cut")
		}
	}
	for _, name := range []string{"Makefile", ".ci/run"} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "nosync") {
			t.Errorf("%s builds with the tag nosync: what is acknowledged would be lost in a power cut", name)
		}
	}
}

const header = "// SPDX-FileCopyrightText: The Gatehouse authors\n// SPDX-License-Identifier: Apache-2.0\n\n"

// calls are functions that make what must not be made elsewhere.
var calls = []struct {
	pkg, name string
	rooms     []string
	why       string
}{
	{"gatehouse/entry", "NewDecider", []string{"device", "entry/entrytest"}, "whoever makes a decider can open a gate"},
	{"gatehouse/fleet", "Open", []string{"cache"}, "there is one door through which documents are believed"},
}

// TestFiles reads every file: header, alias of sync, init functions and the calls above.
func TestFiles(t *testing.T) {
	for _, p := range list(t) {
		code := slices.Concat(p.GoFiles, p.IgnoredGoFiles)
		for _, name := range slices.Concat(code, p.TestGoFiles, p.XTestGoFiles) {
			path := filepath.Join(p.Dir, name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(text), header) {
				t.Errorf("%s does not begin with the two lines of copyright and licence and an empty one", path)
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			checkAlias(t, path, file)
			if !strings.HasSuffix(name, "_test.go") {
				checkInit(t, path, file)
				checkCalls(t, p.room(), path, file)
			}
		}
	}
}

func checkAlias(t *testing.T, path string, file *ast.File) {
	for _, i := range file.Imports {
		if to, _ := strconv.Unquote(i.Path.Value); to == module+"/sync" && (i.Name == nil || i.Name.Name != "syncer") {
			t.Errorf(`%s: import gatehouse/sync as syncer: its name is the standard library's`, path)
		}
		if i.Name != nil && i.Name.Name == "." {
			t.Errorf("%s: imports %s with a dot, and nobody sees whose its names are", path, i.Path.Value)
		}
	}
}

func checkInit(t *testing.T, path string, file *ast.File) {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			t.Errorf("%s has an init function: nothing happens before main says so", path)
		}
	}
}

func checkCalls(t *testing.T, room, path string, file *ast.File) {
	names := map[string]string{} // local name of an import → its path
	for _, i := range file.Imports {
		to, _ := strconv.Unquote(i.Path.Value)
		name := filepath.Base(to)
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = to
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if !ok {
			return true
		}
		for _, c := range calls {
			if names[x.Name] == c.pkg && s.Sel.Name == c.name && !slices.Contains(c.rooms, room) {
				t.Errorf("%s uses %s.%s: %s", path, c.pkg, c.name, c.why)
			}
		}
		return true
	})
}

// TestTimeZones holds that a kiosk knows every venue's hours, whatever its image has: most have no zoneinfo.
func TestTimeZones(t *testing.T) {
	for _, p := range list(t) {
		if (p.room() == "cmd/gatehoused" || p.room() == "cmd/gatehouse-fleet") && !slices.Contains(p.Deps, "time/tzdata") {
			t.Errorf("%s does not embed time/tzdata", p.room())
		}
	}
}
