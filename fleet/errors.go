// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import "errors"

// Why documents are refused. Whatever the reason, the whole bundle is refused and what was in force stays in force.
var (
	// ErrMalformed: not what a document or bundle looks like, or beyond a bound. Make the file again and copy it anew;
	// if that does not help, the program that made it is wrong.
	ErrMalformed = errors.New("fleet: malformed")
	// ErrUnsupported: well-formed, and it says something that this version does not know. It is refused because a rule
	// that is not understood would silently not be applied. Upgrade the kiosk.
	ErrUnsupported = errors.New("fleet: made for a newer version of gatehouse")
	// ErrNoRoot: there is no root document to begin with. Import a whole bundle (gatehouse-fleet bundle).
	ErrNoRoot = errors.New("fleet: no root document")
	// ErrRootMismatch: the root is not the one that the kiosk's config pins. It is another fleet's, or forged; compare
	// `root:` of the kiosk's config with gatehouse-fleet show.
	ErrRootMismatch = errors.New("fleet: not the pinned root")
	// ErrSignature: fewer good signatures of keys that the root allows than it asks for. Treat it as a forgery.
	ErrSignature = errors.New("fleet: not signed by enough of the keys that the root allows")
	// ErrOlder: older than what this kiosk already believes. Make a new bundle.
	ErrOlder = errors.New("fleet: older than what is in force")
	// ErrConflict: the same version with other content. Either the operator's folder was restored from a copy or
	// somebody holds its keys; find out which before making a newer version.
	ErrConflict = errors.New("fleet: same version, other content")
	// ErrScope: a document for another venue. Import this venue's bundle.
	ErrScope = errors.New("fleet: for another venue")
	// ErrKind: a kind that is not known, or not allowed at this scope or in this place.
	ErrKind = errors.New("fleet: kind not allowed here")
	// ErrNotNamed: a document that the newest head does not name with this version and digest. Bring it together with
	// its head.
	ErrNotNamed = errors.New("fleet: not named by the head")
	// ErrWithheld: the head leaves out a document that must be there, or one that must be there is withdrawn. A head can
	// never take a document out of force; only a Tombstone, signed by the document's own keys, can.
	ErrWithheld = errors.New("fleet: the head leaves out a document")
	// ErrIncomplete: documents that the head names are not here, and no complete set is known to fall back on. Import a
	// whole bundle.
	ErrIncomplete = errors.New("fleet: incomplete")
	// ErrTime: signed more than a day ahead of this kiosk's clock. Set the clock, or find out who signed that.
	ErrTime = errors.New("fleet: signed in the future")
	// ErrContent: rightly signed, and what it says cannot be put in force (a policy that is not valid, a key that cannot
	// be used). Correct it in the operator's folder and make a new bundle.
	ErrContent = errors.New("fleet: content cannot be put in force")
)
