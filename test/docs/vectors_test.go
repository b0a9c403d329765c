// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"gatehouse/credential"
)

// vector is a line of docs/vectors/gh1.ndjson or hc1.ndjson: a question to `gatehouse verify`, and beside it its answer.
type vector struct {
	ID      string   `json:"id"`
	Note    string   `json:"note"`
	At      string   `json:"at"`
	Claims  string   `json:"claims,omitempty"` // in CBOR's diagnostic notation, where it can be written so
	COSE    string   `json:"cose,omitempty"`   // hex
	Code    string   `json:"code"`
	Revoked []string `json:"revoked,omitempty"`
	Expect  expected `json:"expect"`
}

type expected struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Format  string `json:"format"`
	Issuer  string `json:"issuer"`
	KID     string `json:"kid"`
}

func (s sample) vector(t *testing.T) vector {
	t.Helper()
	at := s.at
	if at.IsZero() {
		at = morning
	}
	v := vector{ID: s.id, Note: s.note, At: at.Format(time.RFC3339), Code: s.text, Revoked: s.revoked}
	v.Expect = expected{Outcome: "invalid", Reason: s.reason}
	if s.reason == "ok" {
		v.Expect.Outcome = "valid"
	}
	switch {
	case s.draft != nil && s.hc1 || strings.HasPrefix(s.text, "HC1:"):
		v.Expect.Format = "hc1"
	case s.reason != "unrecognised":
		v.Expect.Format = "gh1"
	}
	if s.draft == nil {
		return v
	}
	v.COSE, v.Code = hex.EncodeToString(s.cose(t)), s.draft.text(t)
	payload := s.payload
	if payload == nil {
		payload = s.claims.encode(t)
	}
	if notation, err := cbor.Diagnose(payload); err == nil {
		v.Claims = notation
	}
	if s.reason != "malformed" {
		v.Expect.Issuer, v.Expect.KID = s.issuer, hex.EncodeToString(s.kid)
	}
	return v
}

const warning = "PUBLISHED TEST KEYS: anybody can sign with them. Never put one into a trust list."

// TestVectors makes docs/vectors anew and compares. With UPDATE=1 it writes what is new or another. No step of the
// making is left to chance (Ed25519, and ECDSA as RFC 6979 says), so that a vector changes only with what it says.
func TestVectors(t *testing.T) {
	k := newKeys(t)
	type trusted struct {
		Issuer string          `json:"issuer"`
		SPKI   []byte          `json:"spki,omitempty"`
		X509   []byte          `json:"x509,omitempty"`
		JWK    json.RawMessage `json:"jwk,omitempty"`
	}
	var trust []trusted
	for _, key := range k.all() {
		if key.Trusted {
			trust = append(trust, trusted{key.Issuer, key.SPKI, key.X509, key.JWK})
		}
	}
	golden(t, "vectors/keys.json", indented(t, map[string]any{"warning": warning, "keys": k.all()}))
	golden(t, "vectors/trust.json", indented(t, trust))
	golden(t, "vectors/gh1.ndjson", lines(t, samples(t, k)))
	golden(t, "vectors/hc1.ndjson", lines(t, certificates(t, k)))
}

// lines writes a vector a line.
func lines(t *testing.T, all []sample) []byte {
	t.Helper()
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	seen := map[string]bool{}
	for _, s := range all {
		if seen[s.id] {
			t.Errorf("two vectors are named %s", s.id)
		}
		seen[s.id] = true
		if err := e.Encode(s.vector(t)); err != nil {
			t.Fatal(err)
		}
	}
	return text.Bytes()
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// doc is the path of a file under docs/.
func doc(name string) string { return filepath.Join("..", "..", "docs", filepath.FromSlash(name)) }

func golden(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(doc(name))
	if err == nil && bytes.Equal(got, want) {
		return
	}
	if os.Getenv("UPDATE") != "1" {
		t.Errorf("docs/%s is not what the test makes; run: UPDATE=1 go test ./test/docs", name)
		return
	}
	if err := os.WriteFile(doc(name), want, 0o644); err != nil {
		t.Fatal(err)
	}
}

// vectors reads a file as it stands.
func vectors(t *testing.T, name string) map[string]vector {
	t.Helper()
	text, err := os.ReadFile(doc("vectors/" + name))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]vector{}
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var v vector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		all[v.ID] = v
	}
	return all
}

// TestVectorsAreSignedAsIssuersSign holds that credential.Sign makes the very bytes that the vectors have.
func TestVectorsAreSignedAsIssuersSign(t *testing.T) {
	k := newKeys(t)
	all := vectors(t, "gh1.ndjson")
	for id, key := range map[string]*testKey{"ticket-ed25519": k.arena, "ticket-es256": k.es256} {
		v := all[id]
		signer, err := credential.NewSigningKey(key.Issuer, key.signer)
		if err != nil {
			t.Fatal(err)
		}
		cti, err := hex.DecodeString(newDraft(key, id).cti())
		if err != nil {
			t.Fatal(err)
		}
		got, err := credential.Sign(credential.Claims{
			ID: cti, Kind: "ticket", Scope: []string{"arena"},
			Issued: morning.Add(-2 * time.Hour), Expires: morning.Add(14 * time.Hour),
		}, signer)
		if err != nil {
			t.Fatal(err)
		}
		if got != v.Code {
			t.Errorf("%s: signed\n%s, and the vector has\n%s", id, got, v.Code)
		}
	}
}

// TestVectorsAreReadByOtherSoftware holds that what is valid here is a COSE_Sign1 to go-cose.
func TestVectorsAreReadByOtherSoftware(t *testing.T) {
	public := map[string]*testKey{}
	for _, key := range newKeys(t).all() {
		public[key.KID] = key
	}
	all := vectors(t, "gh1.ndjson")
	maps.Copy(all, vectors(t, "hc1.ndjson"))
	for id, v := range all {
		// go-cose wants its own tag, and the algorithm to be signed.
		if v.Expect.Outcome != "valid" || strings.Contains(id, "tags-") || id == "hc1-alg-unprotected" {
			continue
		}
		b, err := hex.DecodeString(v.COSE)
		if err != nil {
			t.Fatal(err)
		}
		var m cose.Sign1Message
		if err := m.UnmarshalCBOR(b); err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		key := public[v.Expect.KID]
		verifier, err := cose.NewVerifier(cose.Algorithm(key.alg), key.signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Verify(nil, verifier); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if notation, err := cbor.Diagnose(m.Payload); err != nil || notation != v.Claims {
			t.Errorf("%s: its claims are %s (%v), and the vector says %s", id, notation, err, v.Claims)
		}
	}
}
