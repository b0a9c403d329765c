// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/entry"
	"gatehouse/fleet"
)

func records(t *testing.T, l *Ledger, after uint64) *fleet.Records {
	t.Helper()
	r, err := l.Records(after)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// receiptFor is the receipt of an honest collector for events.
func receiptFor(r *fleet.Records) fleet.Receipt {
	links := r.Links()
	return fleet.Receipt{Ledger: r.Ledger, Seq: r.Last(), Link: links[len(links)-1]}
}

func TestRecordsFollowTheChain(t *testing.T) {
	l, _ := chained(t, 150)
	kept, err := l.Kept()
	if err != nil {
		t.Fatal(err)
	}
	var after uint64
	var link fleet.Link
	for after < 150 {
		r := records(t, l, after)
		if r.First != after+1 || r.Before != link || len(r.Events) > fleet.MaxRecords {
			t.Fatalf("after %d: %d events from %d on", after, len(r.Events), r.First)
		}
		after, link = r.Last(), r.Links()[len(r.Events)-1]
	}
	if after != 150 || link != kept.Link {
		t.Errorf("the batches end at %d with %x, the ledger with %x", after, link, kept.Link)
	}
	if r := records(t, l, 150); r != nil {
		t.Errorf("after the last: %+v", r)
	}
}

func TestRecordsAreBoundedInBytes(t *testing.T) {
	l, _ := chained(t, 0)
	for range 5 {
		if err := l.Record(t.Context(), &entry.Event{At: morning, Kind: entry.EventIncident, Note: strings.Repeat("x", 10<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	if r := records(t, l, 0); len(r.Events) != 3 {
		t.Errorf("%d events of 10 KiB in a batch", len(r.Events))
	}
}

func TestAReceiptIsTakenForOurOwnEventsOnly(t *testing.T) {
	l, _ := chained(t, 3)
	good := receiptFor(records(t, l, 0))
	ahead, other, foreign, rewritten := good, good, good, good
	ahead.Seq = 4
	other.Link[0] ^= 1
	foreign.Ledger[0] ^= 1
	rewritten.Seq, rewritten.Link = 2, good.Link
	for name, c := range map[string]struct {
		receipt fleet.Receipt
		err     error
	}{
		"ahead":          {ahead, fleet.ErrAhead},
		"another hash":   {other, ErrChain},
		"another event":  {rewritten, ErrChain},
		"another ledger": {foreign, nil},
	} {
		if err := l.Acknowledge(c.receipt); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
		if l.Receipt().Seq != 0 {
			t.Fatalf("%s: %d events count as received", name, l.Receipt().Seq)
		}
	}
	if err := l.Acknowledge(good); err != nil || l.Receipt() != good {
		t.Fatalf("%+v, %v", l.Receipt(), err)
	}
	older := fleet.Receipt{Ledger: good.Ledger, Seq: 1, Link: records(t, l, 0).Links()[0]}
	if err := l.Acknowledge(older); err != nil || l.Receipt() != good {
		t.Errorf("an older receipt: %+v, %v", l.Receipt(), err)
	}
}

func TestAReceiptOutlivesTheProcess(t *testing.T) {
	l, path := chained(t, 3)
	r := receiptFor(records(t, l, 0))
	if err := errors.Join(l.Acknowledge(r), l.SaveReceipt(t.Context())); err != nil {
		t.Fatal(err)
	}
	commits := l.Commits()
	if err := l.SaveReceipt(t.Context()); err != nil || l.Commits() != commits {
		t.Errorf("a receipt that is written down is written again: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if again := openLedger(t, path); again.Receipt() != r {
		t.Errorf("after a restart: %+v", again.Receipt())
	}
}

func TestRecordsAndReceiptsBesidePruning(t *testing.T) {
	l, _ := chained(t, 10)
	third := fleet.Receipt{Ledger: l.id, Seq: 3, Link: records(t, l, 0).Links()[2]}
	fifth := fleet.Receipt{Ledger: l.id, Seq: 5, Link: records(t, l, 0).Links()[4]}
	if _, err := l.Prune(t.Context(), Retention{Bytes: 1, From: 6}); err != nil {
		t.Fatal(err)
	}
	r := records(t, l, 0)
	if r.First != 6 || r.Before != fifth.Link {
		t.Errorf("after pruning the first is %d", r.First)
	}
	for _, old := range []fleet.Receipt{third, fifth} {
		if err := l.Acknowledge(old); err != nil {
			t.Errorf("a receipt for a pruned event: %v", err)
		}
	}
}
