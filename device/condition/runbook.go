// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package condition

import (
	"fmt"
	"strings"
	"time"
)

// Runbook is the table as docs/runbook.md has it, in Markdown.
func Runbook() string {
	var b strings.Builder
	b.WriteString(runbookHead)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n", g.Name)
		for _, r := range table {
			if g.In(r.Code) {
				r.describe(&b)
			}
		}
	}
	return b.String()
}

const runbookHead = `# Runbook: the fault codes

What can be wrong with a kiosk, what it means and what to do. ` + "`gatehouse status`" + ` tells what is wrong now, ` + "`gatehouse doctor`" + `
looks for it also while the daemon is dead, and ` + "`gatehouse fault CODE`" + ` prints the row of a code. Codes are stable.

An **error** keeps people out who should be let in, or loses what should be remembered. With a **warning** the kiosk
works, and will not for ever. A condition shows in the status when it has lasted for its delay, counted from its first
coming if it comes and goes within a minute; the log has it at once. One that follows from another is told under that.

This file is the table in ` + "`device/condition`" + `; a test holds them equal, and
` + "`UPDATE=1 go test ./device/condition`" + ` writes it.
`

func (r Row) describe(b *strings.Builder) {
	name := r.Name
	if r.PerLane {
		name = "lane … " + name
	}
	fmt.Fprintf(b, "\n### %s: %s\n\n%s. %s\n\n", r.Code, name, r.shows(), r.Meaning)
	fmt.Fprintf(b, "- Where from: %s\n- What to do: %s\n", r.Cause, r.Do)
	if len(r.DependsOn) > 0 {
		fmt.Fprintf(b, "- Told under: %s\n", Join(r.DependsOn))
	}
}

// shows is the severity and the delay, as in "Error, after 5 s".
func (r Row) shows() string {
	text := strings.ToUpper(string(r.Severity[:1])) + string(r.Severity[1:])
	if r.Delay > 0 {
		text += fmt.Sprintf(", after %d s", r.Delay/time.Second)
	}
	return text
}

// Join lists codes.
func Join(codes []Code) string {
	var texts []string
	for _, c := range codes {
		texts = append(texts, string(c))
	}
	return strings.Join(texts, ", ")
}
