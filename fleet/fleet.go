// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package fleet is what a kiosk is told: signed documents, and the one door through which they are believed.
//
// A document is believed for its signatures, never for where it came from. Its payload is deterministic CBOR with a
// kind, a scope, a version, a signed time and a body; detached COSE_Sign1 signatures (RFC 9052, Ed25519) stand beside it,
// each over the payload and over ["gatehouse/1", kind, scope] as external data, so that no document can pass for another.
//
//   - root says which keys may sign which kind, how many of them it takes, and when. Version n+1 is signed by the
//     thresholds of both n and n+1. The kiosk's local config pins the first by its digest.
//   - head names digest, version and size of every document in force for a venue, and the bands of freshness.
//   - issuers is the trust list; config the policy in up to three layers; revocations/<issuer> one issuer's list.
//
// [Open] verifies a [Bundle] against what is [Known] and yields an [Update], which nothing else can make. Any failure
// refuses the whole bundle and what is in force stays. [Sign] is the operator's half.
//
// The package deliberately stores nothing, fetches nothing and has no clock: cache stores, sync fetches, and the
// moment is an argument. It applies no rule either: what the documents say is for package entry.
package fleet
