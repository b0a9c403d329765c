// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"testing"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

func closing(kind entry.EventKind, lane string) *entry.Event {
	return &entry.Event{At: morning, Kind: kind, Lane: lane, Note: "uid 0: wet floor"}
}

// What staff closed stays closed over a restart and after its event was forgotten, until it is released.
func TestClosedLanes(t *testing.T) {
	path := ledgerPath(t)
	l := openLedger(t, path)
	if list, err := l.Closed(); err != nil || len(list) != 0 {
		t.Fatalf("a new ledger: %v, %v", list, err)
	}
	for i, ev := range []*entry.Event{closing(entry.EventClosed, "in-1"), closing(entry.EventClosed, "in-2"), closing(entry.EventReleased, "in-2")} {
		if err := l.SetClosed(t.Context(), ev); err != nil || ev.Seq != uint64(i+1) {
			t.Fatalf("event %d: %d, %v", i+1, ev.Seq, err)
		}
	}
	if err := l.SetClosed(t.Context(), closing(entry.EventTrust, "in-1")); err == nil {
		t.Error("another event closed a lane")
	}
	if err := l.Record(t.Context(), &entry.Event{At: morning, Kind: entry.EventStart}); err != nil {
		t.Fatal(err)
	}
	prune(t, l, Retention{Bytes: 1, From: 4})
	keeps(t, l, 4, 4)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLedger(t, path)
	list, err := l.Closed()
	if ev := list["in-1"]; err != nil || len(list) != 1 || ev.Seq != 1 || ev.Note != "uid 0: wet floor" || !ev.At.Equal(morning) || ev.Kind != entry.EventClosed {
		t.Errorf("after a restart: %+v, %v", list, err)
	}
}

// A damaged entry leaves the lane closed: nobody knows that it was released.
func TestClosedLaneThatCannotBeRead(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	if err := l.SetClosed(t.Context(), closing(entry.EventClosed, "in-1")); err != nil {
		t.Fatal(err)
	}
	if err := l.file.update(func(tx *bbolt.Tx) error { return putClosed(tx, "in-1", []byte("rubbish")) }); err != nil {
		t.Fatal(err)
	}
	if list, err := l.Closed(); err != nil || len(list) != 1 || list["in-1"].Seq != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// Whoever did not wait for the disk changed nothing, and the record says so.
func TestClosingThatNobodyWaitedFor(t *testing.T) {
	for _, kind := range []entry.EventKind{entry.EventClosed, entry.EventReleased} {
		l := openLedger(t, ledgerPath(t))
		closed := 0
		if kind == entry.EventReleased {
			if err := l.SetClosed(t.Context(), closing(entry.EventClosed, "in-1")); err != nil {
				t.Fatal(err)
			}
			closed = 1
		}
		disk := stallNext(t, l)
		err := disk.leaveUnderWay(t, func(ctx context.Context) error { return l.SetClosed(ctx, closing(kind, "in-1")) })
		if !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("%s: %v", kind, err)
		}
		disk.release()
		drained(t, l)
		events := allEvents(t, l)[closed:]
		if len(events) != 3 || events[0].Kind != kind || events[1].Kind == kind || events[1].Of != events[0].Seq || !events[1].Late {
			t.Errorf("%s: recorded %+v", kind, events)
		}
		if list, err := l.Closed(); err != nil || len(list) != closed {
			t.Errorf("%s: %+v, %v", kind, list, err)
		}
	}
}
