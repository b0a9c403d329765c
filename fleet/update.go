// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"slices"

	"gatehouse/credential"
	"gatehouse/entry"
)

// Known is what a kiosk knows before it is told more.
type Known struct {
	// Pin is the digest of the first root, from the kiosk's own config. There is no trust on first use.
	Pin   Digest
	Place Place
	// Documents are those of the last Update, as Update.Documents gave them. They are verified again.
	Documents []Document
	// Marks are those of the last Update: nothing older is believed, even if the documents are lost.
	Marks []Mark
	// Floor are marks of this or an earlier Update that are kept apart from the rest: where the rest was lost or put back
	// to an earlier state, they still bind.
	Floor []Mark
	// Blobs are the digests of the blobs that are stored and were taken from an Update.
	Blobs []Digest
}

// Mark is the highest version of a kind and scope that was believed, with its digest (zero: not known any more).
type Mark struct {
	Kind    Kind
	Scope   Scope
	Version uint64
	Digest  Digest
}

// Update is a verified state of belief. Only Open makes a usable one; the zero Update says nothing. What its methods
// return is shared and must not be changed.
type Update struct {
	root        *Root
	head        *Head
	documents   []Document
	marks       []Mark
	keys        []*credential.Key
	issuers     []string
	terms       *entry.Terms
	revocations []RevocationUpdate
	changed     []string

	headRoot uint64
	missing  Missing
}

// RevocationUpdate is one issuer's revocations in force.
type RevocationUpdate struct {
	Issuer  string
	Version uint64
	// Base names the blob of the hash set's base; nil when there is none.
	Base *Base
	// Blob is the base's ids; nil when the kiosk has that blob already (Known.Blobs), or when there is no base.
	Blob []byte
	// Overlay is what all deltas together change about the base.
	Overlay Delta
	// Lists are the status lists, by URI.
	Lists []StatusUpdate
}

// StatusUpdate is one status list in force.
type StatusUpdate struct {
	StatusList
	// Blob is the base's bits; nil when the kiosk has that blob already, or when there is no base.
	Blob []byte
	// Flipped are the indexes of Flips, rising.
	Flipped []uint32
}

// Usable tells an Update that Open made from the zero one.
func (u *Update) Usable() bool { return u != nil && u.terms != nil }

// Documents are all documents to keep, in place of all that were kept before: those in force, the root chain, and what
// has arrived of a newer head's that is not complete yet.
func (u *Update) Documents() []Document { return slices.Clone(u.documents) }

// Marks replace all marks kept before. A mark goes down only where a new root has replaced the keys of a role.
func (u *Update) Marks() []Mark { return slices.Clone(u.marks) }

// Root is the newest root.
func (u *Update) Root() *Root { return u.root }

// Head is the head in force: the newest whose documents are all here.
func (u *Update) Head() *Head { return u.head }

// Keys are the issuers' keys in force.
func (u *Update) Keys() []*credential.Key { return slices.Clone(u.keys) }

// Issuers are the names of the issuers in force.
func (u *Update) Issuers() []string { return slices.Clone(u.issuers) }

// Terms are the conditions for package entry.
func (u *Update) Terms() *entry.Terms { return u.terms }

// Revocations are the revocation lists in force, all of them, by issuer.
func (u *Update) Revocations() []RevocationUpdate { return slices.Clone(u.revocations) }

// HeadRoot is the version of the root that has replaced the keys of the heads known before, so that no signed time of
// theirs counts any more; 0 where they stand.
func (u *Update) HeadRoot() uint64 { return u.headRoot }

// Missing is what a newer head names and is not here yet.
func (u *Update) Missing() Missing { return u.missing }

// Changed names what is in force now and was not before ("config of arena, version 3"), for a log and an event.
func (u *Update) Changed() []string { return slices.Clone(u.changed) }
