// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"time"

	"gatehouse/fleet"
)

// Filter says which events are wanted; the zero Filter is all of them.
type Filter struct {
	Venue, Kiosk    string
	Kind, Lane      string
	Outcome, Reason string
	From, To        time.Time // of the event's own time; To is not included
	Part            *Part     // only of this part of a ledger
	Limit           int
}

// Ledger is one kiosk's record.
type Ledger struct {
	Kiosk fleet.Place
	ID    fleet.LedgerID
}

// Compare orders ledgers by kiosk.
func (l Ledger) Compare(o Ledger) int {
	return cmp.Or(cmp.Compare(l.Kiosk.Venue, o.Kiosk.Venue), cmp.Compare(l.Kiosk.Kiosk, o.Kiosk.Kiosk), bytes.Compare(l.ID[:], o.ID[:]))
}

// Part is the events of a ledger behind one number and up to another.
type Part struct {
	Ledger
	After, Last uint64
}

// Tips are the ledgers that events came of, with the number of the last.
func (s *SQLite) Tips(ctx context.Context) (map[Ledger]uint64, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT venue, kiosk, ledger, seq FROM tips")
	if err != nil {
		return nil, told(err)
	}
	defer rows.Close()
	tips := map[Ledger]uint64{}
	for rows.Next() {
		var l Ledger
		var id []byte
		var seq int64
		if err := rows.Scan(&l.Kiosk.Venue, &l.Kiosk.Kiosk, &id, &seq); err != nil {
			return nil, told(err)
		}
		copy(l.ID[:], id)
		tips[l] = uint64(seq)
	}
	return tips, told(rows.Err())
}

// Events calls do with the events that a filter lets through, by kiosk, ledger and number.
func (s *SQLite) Events(ctx context.Context, f Filter, do func(Stored) error) error {
	query, args := "SELECT venue, kiosk, ledger, seq, link, body FROM events WHERE 1", []any{}
	where := func(column, value string) {
		if value != "" {
			query += " AND " + column + "=?"
			args = append(args, value)
		}
	}
	where("venue", f.Venue)
	where("kiosk", f.Kiosk)
	where("kind", f.Kind)
	where("lane", f.Lane)
	where("outcome", f.Outcome)
	where("reason", f.Reason)
	if !f.From.IsZero() {
		query, args = query+" AND at>=?", append(args, f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		query, args = query+" AND at<?", append(args, f.To.UnixMicro())
	}
	if p := f.Part; p != nil {
		query += " AND venue=? AND kiosk=? AND ledger=? AND seq>? AND seq<=?"
		args = append(args, p.Kiosk.Venue, p.Kiosk.Kiosk, p.ID[:], int64(p.After), int64(p.Last))
	}
	query += " ORDER BY venue, kiosk, ledger, seq"
	if f.Limit > 0 {
		query, args = query+" LIMIT ?", append(args, f.Limit)
	}
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return told(err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanStored(rows)
		if err != nil {
			return err
		}
		if err := do(e); err != nil {
			return err
		}
	}
	return told(rows.Err())
}

func scanStored(rows *sql.Rows) (e Stored, err error) {
	var seq int64
	var ledger, link []byte
	if err := rows.Scan(&e.Kiosk.Venue, &e.Kiosk.Kiosk, &ledger, &seq, &link, &e.Body); err != nil {
		return e, told(err)
	}
	copy(e.Ledger[:], ledger)
	copy(e.Link[:], link)
	e.Event, err = fleet.DecodeEvent(uint64(seq), e.Body)
	return e, err
}
