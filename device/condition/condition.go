// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package condition names what can be wrong with a kiosk: one table of fault codes, with what each means to a technician
// and what is to be done. It says nothing about how a kiosk is; device does, by these codes.
package condition

import (
	"slices"
	"strings"
	"time"
)

// Code is a fault code, "GH-" and three digits. It is stable: what a code means is never changed, and the code of a
// condition that is gone is not given to another. The hundreds tell the part of the kiosk.
type Code string

// Severity is how bad a condition is.
type Severity string

const (
	// Error: people who should be let in are not, or what should be remembered is not. Somebody must come.
	Error Severity = "error"
	// Warning: the kiosk works, and will not for ever or not as well as it should.
	Warning Severity = "warning"
)

// Row is all that is declared of one condition.
type Row struct {
	Code     Code
	Name     string // as the log and the status name it, after "lane NAME " where PerLane
	PerLane  bool
	Severity Severity
	// DependsOn are the conditions that bring this one about. While one of them shows, this one is told under it.
	DependsOn []Code
	// Delay is how long the condition must have lasted before it shows in the status. The log has it at once.
	Delay time.Duration

	Meaning string // a sentence: what it is for the people at the gate
	Cause   string // what it mostly comes from
	Do      string // what a technician does, the likeliest first
}

// Of finds the row of a code.
func Of(c Code) (Row, bool) {
	i := slices.IndexFunc(table, func(r Row) bool { return r.Code == c })
	if i < 0 {
		return Row{}, false
	}
	return table[i], true
}

// Parse finds the row that a person means: GH-101, gh101 or 101.
func Parse(text string) (Row, bool) {
	digits := strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "GH"), "-")
	return Of(Code("GH-" + digits))
}

// Table is every row, by code.
func Table() []Row { return slices.Clone(table) }

// Groups are the parts of a kiosk that the hundreds of the codes stand for, by code.
func Groups() []Group { return slices.Clone(groups) }

// Group is a hundred of the codes.
type Group struct {
	Prefix string // of its codes, "GH-1"
	Name   string
}

var groups = []Group{
	{"GH-1", "Scanner"},
	{"GH-2", "Gate"},
	{"GH-3", "Record of admissions"},
	{"GH-4", "Documents"},
	{"GH-5", "Clock"},
	{"GH-6", "Machine"},
	{"GH-7", "Installation"},
}

// In tells whether a code belongs to the group.
func (g Group) In(c Code) bool { return strings.HasPrefix(string(c), g.Prefix) }
