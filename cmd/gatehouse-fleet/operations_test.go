// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// networkChapter is the heading of the part of docs/operations.md that needs a broker.
const networkChapter = "\n## A fleet over a network, on one laptop\n"

// operations is docs/operations.md: the part that goes with files, and the one that needs a broker.
func operations(t *testing.T) (files, network string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	files, network, ok := strings.Cut(string(text), networkChapter)
	if !ok {
		t.Fatalf("docs/operations.md has no chapter %q", strings.TrimSpace(networkChapter))
	}
	return files, network
}

// docs/operations.md is run as it stands: every command of the operator, the files that it shows, and what it says is printed.
func TestOperationsManual(t *testing.T) {
	text, _ := operations(t)
	s := &session{record: "../../cmd/gatehouse-fleet/testdata/morning.json"}
	s.run(t, text, 40, map[string]func(*testscript.TestScript, bool, []string){"kiosk": importBundle})
}

func (s *session) run(t *testing.T, text string, least int, commands map[string]func(*testscript.TestScript, bool, []string)) {
	t.Helper()
	if err := s.read(text); err != nil {
		t.Fatal(err)
	}
	if s.commands < least {
		t.Fatalf("only %d commands were found; the test would see nothing", s.commands)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "operations.txtar"), s.script.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Dir: dir, Cmds: commands})
}

// session is a script made of a document.
type session struct {
	script   bytes.Buffer
	files    bytes.Buffer
	commands int
	record   string // what a kiosk's record is, where one is asked for
	network  bool   // kiosks are run, and what is asked of them and of the broker is asked until it is so
	asked    *question
}

// question is a command that is run until it prints what is expected.
type question struct {
	command, stdin string
	expected       []string
}

var (
	fileMark = regexp.MustCompile(`^<!-- file: (\S+) -->$`)
	redirect = regexp.MustCompile(`^(.*?) ([<>]) (\S+)$`)
)

// read takes the blocks that are set in. A block behind a file mark is a file; in others, lines behind a prompt are commands
// and the rest is what they print, with … for what is another each time.
func (s *session) read(text string) error {
	var file string
	var content []string
	files := 0
	for _, line := range append(strings.Split(text, "\n"), "end") {
		if m := fileMark.FindStringSubmatch(line); m != nil {
			file = m[1]
			continue
		}
		inside, isBlock := strings.CutPrefix(line, "    ")
		isCommand := strings.HasPrefix(inside, "$ ") || strings.HasPrefix(inside, "kiosk$ ")
		switch {
		case file != "" && isBlock && !isCommand:
			content = append(content, inside)
		case file != "" && (line != "" || isCommand) && len(content) > 0:
			files++
			fmt.Fprintf(&s.script, "cp $WORK/file-%d %s\n", files, file)
			fmt.Fprintf(&s.files, "-- file-%d --\n%s\n", files, strings.Join(content, "\n"))
			file, content = "", nil
		}
		if !isBlock || file != "" {
			continue
		}
		if err := s.line(inside); err != nil {
			return err
		}
	}
	s.ask()
	if s.record != "" {
		record, err := os.ReadFile(s.record)
		if err != nil {
			return err
		}
		fmt.Fprintf(&s.files, "-- morning.json --\n%s", record)
	}
	_, err := s.script.Write(s.files.Bytes())
	return err
}

// ask writes the question that waits for what is expected of it.
func (s *session) ask() {
	if q := s.asked; q != nil {
		fmt.Fprintf(&s.script, "until '%s' %s -- %s\n", q.stdin, strings.Join(q.expected, " "), q.command)
		s.asked = nil
	}
}

func (s *session) line(text string) error {
	if command, ok := strings.CutPrefix(text, "$ "); ok {
		s.commands++
		s.ask()
		return s.command(command)
	}
	if command, ok := strings.CutPrefix(text, "kiosk$ "); ok && s.network {
		s.commands++
		s.ask()
		return s.command(command)
	} else if ok {
		switch m := redirect.FindStringSubmatch(command); {
		case m != nil:
			fmt.Fprintf(&s.script, "cp $WORK/morning.json %s\n", m[3])
		case strings.HasPrefix(command, "gatehouse import "):
			fmt.Fprintf(&s.script, "kiosk %s\n", strings.TrimPrefix(command, "gatehouse import "))
		}
		return nil
	}
	if s.commands > 0 && text != "" && !strings.HasPrefix(text, "#") {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(text)), "…", ".*")
		pattern = "'" + strings.ReplaceAll(pattern, "'", "''") + "'"
		if s.asked != nil {
			s.asked.expected = append(s.asked.expected, pattern)
			return nil
		}
		fmt.Fprintf(&s.script, "stdout %s\n", pattern)
	}
	return nil
}

// questions are the commands whose answer changes without the operator.
var questions = regexp.MustCompile(`^(gatehouse explain|gatehouse-fleet (status|events))\b`)

func (s *session) command(text string) error {
	into := ""
	text = strings.ReplaceAll(text, `"`, "'")
	if s.network && questions.MatchString(text) {
		command, stdin, _ := strings.Cut(text, " < ")
		s.asked = &question{command: command, stdin: stdin}
		return nil
	}
	if m := redirect.FindStringSubmatch(text); m != nil {
		text = m[1]
		if into = m[3]; m[2] == "<" {
			fmt.Fprintf(&s.script, "stdin %s\n", into)
			into = ""
		}
	}
	name, args, _ := strings.Cut(text, " ")
	switch name {
	case "gatehouse-fleet", "gatehoused", "sed":
		fmt.Fprintf(&s.script, "exec %s\n", text)
	case "mosquitto":
		fmt.Fprintf(&s.script, "broker %s\n", strings.TrimSuffix(strings.TrimPrefix(args, "-c "), " &"))
	case "cd", "cp", "mv", "mkdir", "rm":
		fmt.Fprintf(&s.script, "%s %s\n", name, strings.TrimPrefix(args, "-r "))
	default:
		return fmt.Errorf("docs/operations.md: no test can run %q", text)
	}
	if into != "" {
		fmt.Fprintf(&s.script, "cp stdout %s\n", into)
	}
	return nil
}
