// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"gatehouse/entry"
)

// planned are the reasons of the plan, in its order: API, screen, log and tests use the same.
var planned = []entry.Reason{"ok", "unrecognised", "malformed", "unknown_issuer", "unknown_key", "bad_signature",
	"key_not_allowed", "not_yet_valid", "expired", "clock_untrusted", "revoked", "suspended", "wrong_venue", "wrong_zone",
	"outside_hours", "not_accepted", "second_pass_needed", "different_holder", "too_old", "stale_data", "already_used",
	"passback", "full", "wait", "lane_closed", "out_of_order", "record_failed", "override", "command", "exit", "free_passage"}

// declared are the constants of reason.go, so that a new one cannot be forgotten here.
func declared(t *testing.T) (list []entry.Reason) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if kind, named := specType(spec, ok); !named || kind != "Reason" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, entry.Reason(text))
		return true
	})
	return list
}

func specType(spec *ast.ValueSpec, ok bool) (string, bool) {
	if !ok || spec.Type == nil {
		return "", false
	}
	name, ok := spec.Type.(*ast.Ident)
	return name.Name, ok
}

func TestEveryReasonHasItsSentences(t *testing.T) {
	if got := declared(t); !slices.Equal(got, planned) {
		t.Errorf("reason.go declares %v, and the plan has %v", got, planned)
	}
	chinese := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
	}
	unknown := entry.Reason("of a newer program")
	for _, r := range append(planned, unknown) {
		for what, say := range map[string]func(entry.Language) string{"guest": r.Guest, "staff": r.Staff} {
			zh, en := say(entry.Chinese), say(entry.English)
			if !chinese(zh) || en == "" || r != unknown && chinese(en) {
				t.Errorf("%s: the %s are told %q and %q", r, what, zh, en)
			}
			if say("fr") != en {
				t.Errorf("%s: the %s are not told in English where the language is unknown", r, what)
			}
		}
		if !slices.Contains([]entry.Outcome{entry.Admit, entry.Deny, entry.Wait, entry.Refer}, r.Outcome()) {
			t.Errorf("%s has the outcome %q", r, r.Outcome())
		}
		if r.Severity() == entry.SeverityError && r.Remedy() == "" {
			t.Errorf("%s is an error, and a technician is not told what to do", r)
		}
		if !slices.Contains([]entry.Severity{entry.SeverityInfo, entry.SeverityWarning, entry.SeverityError}, r.Severity()) {
			t.Errorf("%s has the severity %q", r, r.Severity())
		}
		// No guest is told what would help to forge a pass, or another's business.
		if strings.Contains(r.Guest(entry.English), "key") || strings.Contains(r.Guest(entry.English), "signature") {
			t.Errorf("%s tells the guest %q", r, r.Guest(entry.English))
		}
	}
	if unknown.Outcome() != entry.Refer {
		t.Error("an unknown reason is not referred to a person")
	}
}
