// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package cache is the kiosk's memory: two bbolt files that are opened in one way and trusted in none.
//
//   - trust.db ([Trust]) holds the signed documents in force, the keys they bring and the revocations. It can be fetched
//     again: a damaged one is set aside and a clean one begun.
//   - ledger.db ([Ledger]) holds the uses of passes and the events. It cannot be fetched again: a damaged one is refused
//     and never replaced.
//
// They are two files so that damage to one never costs the other. What is read is checked where it is read (a CRC over
// key and value), a panic or a media fault inside bbolt becomes an error, and an error never reads as "not revoked" or
// "not used".
//
// The package deliberately verifies no signature itself (fleet.Open does), decides about no pass (entry does), and keeps
// no clock. The ledger sees passes only as hashes under the venue's key, the trust store only the short digests of revoked
// ids that the documents bring: no code, name or id reaches either file.
package cache

import "errors"

// The conditions of a database file, matched with errors.Is. The error around them names the file and what to do.
var (
	// ErrDamaged: the file is not what was written. trust.db is set aside at the next OpenTrust; ledger.db stays refused.
	ErrDamaged = errors.New("the database is damaged")
	// ErrInUse: another process has the file open. Ask the running daemon instead of its file.
	ErrInUse = errors.New("the database is in use by another process")
	// ErrNewerSchema: a newer version of this program wrote the file. Run that version, or put back the copy that it made
	// before it migrated the file (path + ".schema-<n>"); what was recorded since is then lost.
	ErrNewerSchema = errors.New("the database was written by a newer version")
	// ErrOlderSchema: an earlier version wrote the file, and nobody may migrate it now. The next start of gatehoused does.
	ErrOlderSchema = errors.New("the database was written by an earlier version")
	// ErrFull: the disk has no room. Nothing was written, and the file is as it was.
	ErrFull = errors.New("the disk is full")
	// ErrWrite: the disk did not confirm a write. It may be there or not; the file takes no more writes until it is
	// opened again, which tells.
	ErrWrite = errors.New("the disk did not confirm a write")
	// ErrGone: the file that is open is no longer at its path. What is written is lost when it is closed.
	ErrGone = errors.New("the database's file was moved, deleted or replaced while it is open")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
)
