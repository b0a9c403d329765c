// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"reflect"
	"testing"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// What is explained is what would be decided, step by step, and leaves nothing behind.
func TestExplainIsADryRun(t *testing.T) {
	d := newDesk(t)
	ticket := d.issuer.Pass(credential.Claims{ID: []byte("0123456789abcdef")})
	for _, code := range []string{ticket, ticket, "https://example.org/menu", d.issuer.Pass(credential.Claims{Kind: "staff"}), ticket[:40]} {
		before := len(d.ledger.Events())
		var told entry.Explanation
		for range 3 {
			told = d.Explain(in1, code, entrytest.Now())
		}
		if told.Grant != nil || told.Event != 0 || len(d.ledger.Events()) != before {
			t.Fatalf("explaining left something behind: %+v, %d events", told.Decision, len(d.ledger.Events())-before)
		}
		if told.Terms != d.know.Agreed {
			t.Error("it does not tell the terms that it was judged by")
		}
		made := d.decide(t, code)
		if told.Outcome != made.Outcome || told.Reason != made.Reason || told.Rule != made.Rule || told.PassHash != made.PassHash {
			t.Errorf("explained %s, decided %s", told.Reason, made.Reason)
		}
		steps := made.Steps
		if made.Outcome == entry.Admit {
			steps = steps[:len(steps)-1] // that it is recorded
			if told.Limit != 1 {
				t.Errorf("a ticket admits %d times", told.Limit)
			}
		}
		if !reflect.DeepEqual(told.Steps, steps) {
			t.Errorf("explained %v, decided %v", told.Steps, steps)
		}
	}
	d.know.Err = entrytest.ErrInjected
	if told := d.Explain(in1, ticket, entrytest.Now()); told.Reason != entry.ReasonOutOfOrder || told.Terms != nil {
		t.Errorf("nothing can be read: %+v", told)
	}
}
