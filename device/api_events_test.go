// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
)

// The record is read from either end, through filters, in pages, and tells nothing that identifies.
func TestEvents(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	id := []byte("a-pass-0123456")
	code := b.pass(credential.Claims{ID: id})
	b.expect("ok", code)
	b.expect("already_used", code)
	b.expect("unrecognised", "nothing known")

	ask := func(q client.Query) *client.Page {
		t.Helper()
		p, err := b.client.Events(b.ctx(), q)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	numbers := func(p *client.Page) (n []uint64) {
		for _, e := range p.Events {
			n = append(n, e.Number)
		}
		return n
	}
	all := ask(client.Query{})
	if got := numbers(all); !slices.Equal(got, []uint64{4, 3, 2, 1}) || all.Next != 0 || all.First != 1 || all.Last != 4 || all.Ledger == "" {
		t.Errorf("newest first: %+v", all)
	}
	admitted := all.Events[2]
	if admitted.Kind != "decision" || admitted.Outcome != "admit" || admitted.Reason != "ok" || admitted.Rule != "day ticket" ||
		admitted.Lane != "in-1" || len(admitted.Pass) != 8 || admitted.Clock != "synced" || !slices.Contains(admitted.Steps, "record") {
		t.Errorf("an admission is %+v", admitted)
	}
	text, _ := json.Marshal(all)
	if strings.Contains(string(text), code[:20]) || strings.Contains(string(text), string(id)) {
		t.Error("a pass's text or id is in the answer")
	}

	for _, c := range []struct {
		what string
		q    client.Query
		want []uint64
		next uint64
	}{
		{"from a number", client.Query{From: 3}, []uint64{3, 4}, 5},
		{"from the end", client.Query{From: 5}, nil, 5},
		{"a page", client.Query{Limit: 2}, []uint64{4, 3}, 3},
		{"the page before", client.Query{Limit: 2, Before: 3}, []uint64{2, 1}, 0},
		{"forward page", client.Query{From: 1, Limit: 1}, []uint64{1}, 2},
		{"by outcome", client.Query{Outcome: "deny"}, []uint64{4, 3}, 0},
		{"by reason", client.Query{Reason: "already_used"}, []uint64{3}, 0},
		{"by lane", client.Query{Lane: "in-2"}, nil, 0},
		{"by kind", client.Query{Kind: "trust"}, []uint64{1}, 0},
		{"since a time", client.Query{Since: time.Now().Add(time.Hour)}, nil, 0},
		{"about an event", client.Query{Of: 2}, nil, 0},
	} {
		if p := ask(c.q); !slices.Equal(numbers(p), c.want) || p.Next != c.next {
			t.Errorf("%s: %v, next %d; want %v, %d", c.what, numbers(p), p.Next, c.want, c.next)
		}
	}
}

// One answer is bounded in what it has and in what is looked at for it, and the next goes on where it ended.
func TestEventsAreBounded(t *testing.T) {
	k := newRecordOf(t, eventsLooked+2*eventsRead)
	p, err := k.events(client.Query{Reason: "none", Limit: client.MostEvents})
	if err != nil || len(p.Events) != 0 || p.Next != 2*eventsRead+1 {
		t.Fatalf("%+v, %v", p, err)
	}
	p, err = k.events(client.Query{Reason: "none", Limit: 1, Before: p.Next})
	if err != nil || p.Next != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = k.events(client.Query{From: 1, Reason: "none", Limit: 1})
	if err != nil || p.Next != eventsLooked+1 {
		t.Errorf("%+v, %v", p, err)
	}
	q, err := parseQuery(map[string][]string{"limit": {"100000"}})
	if err != nil || q.Limit != client.MostEvents {
		t.Errorf("%+v, %v", q, err)
	}
	var got []uint64
	for q := (client.Query{Limit: 7}); ; {
		p, err := k.events(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Events {
			got = append(got, e.Number)
		}
		if q.Before = p.Next; p.Next == 0 {
			break
		}
	}
	if len(got) != eventsLooked+2*eventsRead || got[0] < got[len(got)-1] || got[len(got)-1] != 1 {
		t.Errorf("%d events, from %d to %d", len(got), got[0], got[len(got)-1])
	}
}

func TestEventsRefuseWhatTheyDoNotKnow(t *testing.T) {
	for _, v := range []map[string][]string{{"colour": {"red"}}, {"from": {"x"}}, {"since": {"yesterday"}}, {"limit": {"-"}}} {
		if _, err := parseQuery(v); err == nil {
			t.Errorf("%v was taken", v)
		}
	}
	b := newBench(t)
	b.start()
	if p, err := b.client.Events(b.ctx(), client.Query{}); err != nil || len(p.Events) != 0 || p.Next != 0 {
		t.Errorf("an empty record: %+v, %v", p, err)
	}
}

// newRecordOf is a kiosk of nothing but a record with so many events.
func newRecordOf(t *testing.T, n int) *kiosk {
	t.Helper()
	l, err := cache.OpenLedger(filepath.Join(t.TempDir(), "ledger.db"), cache.LedgerOptions{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for range n {
		if err := l.Record(t.Context(), &entry.Event{Kind: entry.EventIncident}); err != nil {
			t.Fatal(err)
		}
	}
	return &kiosk{ledger: &record{Ledger: l}}
}

// What is no question is refused, and what is one asks for a bounded page of what it says.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{"", "from=7&limit=500", "before=9&outcome=deny", "since=2026-05-04T12:00:00Z&lane=in-1", "limit=-1", "of=x", "form=7", "kind=closed&reason=ok"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := parseQuery(values)
		if err != nil {
			return
		}
		if q.Limit < 1 || q.Limit > client.MostEvents {
			t.Errorf("%q asks for %d events", text, q.Limit)
		}
		if q.Lane != values.Get("lane") || q.Outcome != values.Get("outcome") || q.Reason != values.Get("reason") || q.Kind != values.Get("kind") {
			t.Errorf("%q was read as %+v", text, q)
		}
	})
}
