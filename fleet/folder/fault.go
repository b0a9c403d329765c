// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gatehouse/entry"
	"gatehouse/yamlfile"
)

// Fault is what is wrong with a file of the folder, or what is valid and probably not meant, and what to do about it. It is
// ErrConfig.
type Fault struct {
	File    string
	Line    int  // from 1; 0 where it is about the whole file
	Warning bool // bundle signs it all the same
	Err     error
}

// Error gives "folder: config is not valid: FILE:LINE: what is wrong".
func (f *Fault) Error() string { return fmt.Sprintf("%v: %s: %v", ErrConfig, f.Place(), f.Err) }

// Place is the file, and the line where there is one.
func (f *Fault) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// Is makes errors.Is(err, ErrConfig) hold.
func (f *Fault) Is(target error) bool { return target == ErrConfig }

// Unwrap gives what is wrong.
func (f *Fault) Unwrap() error { return f.Err }

// faultAt makes a fault; its arguments are those of fmt.Errorf.
func faultAt(file string, line int, format string, args ...any) *Fault {
	return &Fault{File: file, Line: line, Err: fmt.Errorf(format, args...)}
}

// faultOf is an error about a file as a fault, with the place that it brings.
func faultOf(file string, err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	// The reader's own subject, and the name of the file, stand in front already.
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "folder: "), file+": ")
	return &Fault{File: file, Err: rephrased{text, err}}
}

// rephrased is an error with another text.
type rephrased struct {
	text  string
	cause error
}

func (r rephrased) Error() string { return r.text }
func (r rephrased) Unwrap() error { return r.cause }

func first(faults []*Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return faults[0]
}

func sortFaults(faults []*Fault) {
	slices.SortStableFunc(faults, func(a, b *Fault) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
}

// policyFaults are the faults of one layer of a policy. entry tells of the first alone, so each rule and each other key is
// asked by itself, and only what is good by itself is asked together.
func policyFaults(path string, text []byte, p *entry.Policy) (faults []*Fault) {
	ask := func(part *entry.Policy, key string) bool {
		err := part.ValidateLayer()
		if err != nil {
			faults = append(faults, policyFault(path, text, key, err))
		}
		return err == nil
	}
	good := *p
	good.Accept = placeholders(len(p.Accept))
	for i, rule := range p.Accept {
		alone := &entry.Policy{Accept: placeholders(i + 1)}
		alone.Accept[i] = rule
		if ask(alone, "accept") {
			good.Accept[i] = rule
		}
	}
	whole := reflect.ValueOf(&good).Elem()
	for i := range whole.NumField() {
		key, _, _ := strings.Cut(whole.Type().Field(i).Tag.Get("yaml"), ",")
		if key == "accept" {
			continue
		}
		var alone entry.Policy
		reflect.ValueOf(&alone).Elem().Field(i).Set(whole.Field(i))
		if !ask(&alone, key) {
			whole.Field(i).SetZero()
		}
	}
	ask(&good, "")
	return faults
}

// policyFault is what entry finds wrong with a policy, at its line: that of the place that it names, else that of a key.
func policyFault(path string, text []byte, key string, err error) *Fault {
	line := policyLine(text, err)
	if line == 1 {
		line = lineOf(text, "$.%s", key)
	}
	return &Fault{File: path, Line: line, Err: rephrased{strings.TrimPrefix(err.Error(), entry.ErrPolicy.Error()+": "), err}}
}

// placeholders are rules that are valid in any company, so that a rule beside them is told by its own number.
func placeholders(n int) []entry.Rule {
	rules := make([]entry.Rule, n)
	for i := range rules {
		rules[i] = entry.Rule{Name: fmt.Sprintf("\x00%d", i), All: []entry.Clause{{Kind: "none", Issuers: []string{"none"}}}}
	}
	return rules
}

func lineOf(text []byte, format string, args ...any) int {
	return yamlfile.Line(text, fmt.Sprintf(format, args...))
}
