// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite" // and the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"gatehouse/fleet"
)

// schema is version 1. Events are in one table whether they can be read or not; what contradicts one is beside it.
const schema = `
CREATE TABLE IF NOT EXISTS events (
	venue TEXT NOT NULL, kiosk TEXT NOT NULL, ledger BLOB NOT NULL, seq INTEGER NOT NULL,
	link BLOB NOT NULL, body BLOB NOT NULL,
	at INTEGER, kind TEXT, lane TEXT, outcome TEXT, reason TEXT, issuer TEXT,
	PRIMARY KEY (venue, kiosk, ledger, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS events_by_time ON events (at);
CREATE TABLE IF NOT EXISTS unread (
	venue TEXT NOT NULL, kiosk TEXT NOT NULL, ledger BLOB NOT NULL, seq INTEGER NOT NULL,
	link BLOB NOT NULL, body BLOB NOT NULL,
	PRIMARY KEY (venue, kiosk, ledger, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS beside (
	venue TEXT NOT NULL, kiosk TEXT NOT NULL, ledger BLOB NOT NULL, seq INTEGER NOT NULL,
	link BLOB NOT NULL, body BLOB NOT NULL,
	PRIMARY KEY (venue, kiosk, ledger, seq, link)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tips (
	venue TEXT NOT NULL, kiosk TEXT NOT NULL, ledger BLOB NOT NULL, seq INTEGER NOT NULL, link BLOB NOT NULL,
	PRIMARY KEY (venue, kiosk, ledger)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarms (
	n INTEGER PRIMARY KEY, at INTEGER NOT NULL,
	venue TEXT NOT NULL, kiosk TEXT NOT NULL, ledger BLOB NOT NULL, seq INTEGER NOT NULL,
	code TEXT NOT NULL, text TEXT NOT NULL,
	UNIQUE (venue, kiosk, ledger, seq, code)
);`

// schemaVersion is kept in SQLite's own user_version.
const schemaVersion = 1

// ErrNewerSchema: a newer version of this program wrote the file. Run that version.
var ErrNewerSchema = errors.New("collector: the database was written by a newer version")

// ErrDamaged: the file is no database, or one that cannot be read.
var ErrDamaged = errors.New("the database of events is damaged: put a copy of it back or move it away, and kiosks send again what they still have")

// told is what SQLite said, with what to do about it where that is known.
func told(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB) {
		return fmt.Errorf("collector: %w: %w", ErrDamaged, err)
	}
	if err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	return nil
}

// SQLite is the store of a fleet that needs no server: one file, written ahead and synced with every batch.
type SQLite struct{ db *sql.DB }

// OpenSQLite opens the store at path, or begins one, for its owner's eyes alone.
func OpenSQLite(ctx context.Context, path string) (*SQLite, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite gives what lies beside it the same mode
	if err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	uri := "file:" + (&url.URL{Path: path}).EscapedPath() // a name may have what means something else in a URI
	db, err := sql.Open("sqlite", uri+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("collector: %s: %w", path, err)
	}
	s := &SQLite{db: db}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
	}
	return s, nil
}

func (s *SQLite) prepare(ctx context.Context) error {
	var version int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return told(err)
	}
	switch {
	case version > schemaVersion:
		return ErrNewerSchema
	case version == schemaVersion:
		return nil // whoever only looks writes nothing: a full disk is when somebody looks
	}
	if _, err := s.db.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", schemaVersion)); err != nil {
		return told(err)
	}
	return nil
}

// Close releases the file.
func (s *SQLite) Close() error { return s.db.Close() }

// Batch implements Store.
func (s *SQLite) Batch(ctx context.Context, do func(Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(&sqliteTx{ctx: ctx, tx: tx}); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

type sqliteTx struct {
	ctx context.Context
	tx  *sql.Tx
	put *sql.Stmt // nil before the first; ends with the transaction
}

func (t *sqliteTx) Tip(k fleet.Place, ledger fleet.LedgerID) (seq uint64, link fleet.Link, err error) {
	var n int64
	var l []byte
	err = t.tx.QueryRowContext(t.ctx, "SELECT seq, link FROM tips WHERE venue=? AND kiosk=? AND ledger=?", k.Venue, k.Kiosk, ledger[:]).Scan(&n, &l)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, link, nil
	}
	copy(link[:], l)
	return uint64(n), link, err
}

func (t *sqliteTx) exec(query string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, query, args...)
	return err
}

func (t *sqliteTx) SetTip(k fleet.Place, ledger fleet.LedgerID, seq uint64, link fleet.Link) error {
	return t.exec("INSERT OR REPLACE INTO tips VALUES (?,?,?,?,?)", k.Venue, k.Kiosk, ledger[:], int64(seq), link[:])
}

func (t *sqliteTx) Links(k fleet.Place, ledger fleet.LedgerID, first, last uint64) (map[uint64]fleet.Link, error) {
	rows, err := t.tx.QueryContext(t.ctx, `SELECT seq, link FROM events WHERE venue=?1 AND kiosk=?2 AND ledger=?3 AND seq BETWEEN ?4 AND ?5
		UNION ALL SELECT seq, link FROM unread WHERE venue=?1 AND kiosk=?2 AND ledger=?3 AND seq BETWEEN ?4 AND ?5`,
		k.Venue, k.Kiosk, ledger[:], int64(first), int64(last))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	links := map[uint64]fleet.Link{}
	for rows.Next() {
		var seq int64
		var l []byte
		if err := rows.Scan(&seq, &l); err != nil {
			return nil, err
		}
		var link fleet.Link
		copy(link[:], l)
		links[uint64(seq)] = link
	}
	return links, rows.Err()
}

func (t *sqliteTx) Put(e Stored) (err error) {
	if t.put == nil {
		if t.put, err = t.tx.PrepareContext(t.ctx, "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"); err != nil {
			return err
		}
	}
	ev := e.Event
	_, err = t.put.ExecContext(t.ctx, e.Kiosk.Venue, e.Kiosk.Kiosk, e.Ledger[:], int64(ev.Seq),
		e.Link[:], e.Body, ev.At.UnixMicro(), string(ev.Kind), ev.Lane, string(ev.Outcome), string(ev.Reason), ev.Issuer)
	return err
}

func (t *sqliteTx) Beside(e Stored) error {
	return t.exec("INSERT OR IGNORE INTO beside VALUES (?,?,?,?,?,?)", e.Kiosk.Venue, e.Kiosk.Kiosk, e.Ledger[:], int64(e.Event.Seq), e.Link[:], e.Body)
}

func (t *sqliteTx) Unread(e Stored) error {
	return t.exec("INSERT INTO unread VALUES (?,?,?,?,?,?)", e.Kiosk.Venue, e.Kiosk.Kiosk, e.Ledger[:], int64(e.Event.Seq), e.Link[:], e.Body)
}

func (t *sqliteTx) Alarm(a Alarm) error {
	return t.exec("INSERT OR IGNORE INTO alarms (at, venue, kiosk, ledger, seq, code, text) VALUES (?,?,?,?,?,?,?)",
		a.At.UnixMicro(), a.Kiosk.Venue, a.Kiosk.Kiosk, a.Ledger[:], int64(a.Seq), string(a.Code), a.Text)
}

// Alarms are all alarms, oldest first.
func (s *SQLite) Alarms(ctx context.Context) (alarms []Alarm, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT at, venue, kiosk, ledger, seq, code, text FROM alarms ORDER BY n")
	if err != nil {
		return nil, told(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a Alarm
		var at, seq int64
		var ledger []byte
		if err := rows.Scan(&at, &a.Kiosk.Venue, &a.Kiosk.Kiosk, &ledger, &seq, &a.Code, &a.Text); err != nil {
			return nil, told(err)
		}
		a.At, a.Seq = time.UnixMicro(at).UTC(), uint64(seq)
		copy(a.Ledger[:], ledger)
		alarms = append(alarms, a)
	}
	return alarms, told(rows.Err())
}
