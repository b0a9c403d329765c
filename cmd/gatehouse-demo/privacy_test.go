// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"index/suffixarray"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/credential"
)

// secret is a piece of a pass that must not be kept.
type secret struct {
	what string
	text []byte
}

const base45Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// base45 writes pairs of bytes as three characters (RFC 9285); an odd last byte is left out.
func base45(b []byte) []byte {
	var text []byte
	for ; len(b) >= 2; b = b[2:] {
		n := int(b[0])<<8 | int(b[1])
		text = append(text, base45Alphabet[n%45], base45Alphabet[n/45%45], base45Alphabet[n/2025])
	}
	return text
}

// unbase45 reads what base45 writes, up to the first character that is none of it.
func unbase45(text string) (b []byte) {
	for ; len(text) >= 3; text = text[3:] {
		n := 0
		for i := 2; i >= 0; i-- {
			d := strings.IndexByte(base45Alphabet, text[i])
			if d < 0 {
				return b
			}
			n = n*45 + d
		}
		b = append(b, byte(n>>8), byte(n))
	}
	return b
}

// forms are the ways in which bytes may lie in a file: as they are, in hex, and within a longer text in base64 or base45,
// where the characters depend on where the bytes begin.
func forms(b []byte) [][]byte {
	all := [][]byte{b, []byte(hex.EncodeToString(b)), []byte(strings.ToUpper(hex.EncodeToString(b)))}
	for begin := range 3 {
		whole := b[begin:]
		whole = whole[:len(whole)/3*3]
		all = append(all, []byte(base64.RawStdEncoding.EncodeToString(whole)), []byte(base64.RawURLEncoding.EncodeToString(whole)))
	}
	return append(all, base45(b), base45(b[1:]))
}

// found names the secrets that lie in the files, each with the file. There are thousands in some ten forms each, so each
// file is sorted once.
func found(files map[string][]byte, secrets []secret) (leaks []string) {
	for name, content := range files {
		index := suffixarray.New(content)
		for _, s := range secrets {
			if slices.ContainsFunc(forms(s.text), func(form []byte) bool { return len(index.Lookup(form, 1)) > 0 }) {
				leaks = append(leaks, name+" holds "+s.what)
			}
		}
	}
	return leaks
}

// keys are those of the demo's issuers, by which the test reads the passes.
type keys []*credential.Key

func (k keys) Keys(_ credential.Format, issuer string, kid []byte) (found []*credential.Key, err error) {
	for _, key := range k {
		if bytes.Equal(key.ID, kid) && (issuer == "" || key.Issuer == issuer) {
			found = append(found, key)
		}
	}
	return found, nil
}

func issuerKeys(t *testing.T, s *stage) (k keys) {
	t.Helper()
	add := func(key credential.Key, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		key.Formats = []credential.Format{credential.GH1, credential.HC1}
		k = append(k, &key)
	}
	for _, issuer := range issuers {
		files, err := filepath.Glob(filepath.Join(s.fleet.Dir(), "issuers", issuer, "*"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		add(credential.KeyFromSPKI(issuer, block.Bytes))
	}
	add(credential.KeyFromCertificate("at", s.dsc.Certificate))
	return k
}

// window is how much of a code or of its bytes is too much: an issuer's name and a key's id, which events have, are shorter.
const window = 24

// secretsOf are the codes that were shown and what is in them.
func secretsOf(t *testing.T, s *stage, now time.Time) (all []secret) {
	t.Helper()
	for _, name := range []string{"MUSTERFRAU", "Musterfrau", "GABRIELE", "Gabriele", "1998-02-26"} {
		all = append(all, secret{"the name or birth date " + name, []byte(name)})
	}
	trust, passes := issuerKeys(t, s), 0
	for i, code := range slices.Concat(s.shown, s.explained) {
		what := fmt.Sprintf("code %d: ", i+1)
		prefix, rest, _ := strings.Cut(code, ":")
		for at := 0; at+window <= len(code); at += window {
			all = append(all, secret{what + "its text", []byte(code[at : at+window])})
		}
		for raw := unbase45(rest); len(raw) >= window; raw = raw[window:] {
			all = append(all, secret{what + "its bytes", raw[:window]})
		}
		p, _ := credential.Verify(code, trust, now) // an expired one is read all the same
		if p == nil {
			continue
		}
		passes++
		all = append(all, secret{what + "its id", p.ID})
		if p.Holder != nil {
			all = append(all, secret{what + "its holder", p.Holder})
		} else if prefix == string(credential.HC1) {
			t.Error("a certificate without a digest of its holder")
		}
		for _, id := range p.RevocationIDs() {
			all = append(all, secret{what + "a name for its revocation", []byte(id)})
			if _, digest, ok := strings.Cut(id, ":"); ok {
				raw, err := hex.DecodeString(digest)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, secret{what + "a digest for its revocation", raw})
			}
		}
	}
	if len(s.shown) < 100 || passes < 90 {
		t.Fatalf("%d codes were shown, %d of them passes: too few to look for", len(s.shown), passes)
	}
	return all
}

// kept are the files that the kiosk wrote, and those of the operator's centre.
func kept(t *testing.T, s *stage) map[string][]byte {
	t.Helper()
	state := filepath.Join(s.dir, "kiosk", "state")
	files := map[string][]byte{}
	for _, path := range []string{filepath.Join(state, "trust.db"), filepath.Join(state, "ledger.db"), filepath.Join(state, "floor.a"),
		filepath.Join(state, "floor.b"), filepath.Join(s.dir, "kiosk.log")} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = content
	}
	if entries, err := os.ReadDir(state); err != nil || len(entries) != len(files)-1 {
		t.Errorf("the state folder has %v, %v: the test does not know them all", entries, err)
	}
	for _, name := range []string{"events.db", "centre.log"} {
		content, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = content
	}
	return files
}

// expectTold looks for what a morning is played for in what was printed.
func expectTold(t *testing.T, told string) {
	t.Helper()
	for _, want := range []string{
		`a valid EU certificate of a positive test +deny +not_accepted +\d+\n`,
		`travel code of telecom, 30 hours old +admit +ok +\d+ +outage grace\n`,
		`24 guests, .* 24 admitted, 0 refused; 42 scans until 08:34\n`,
		`stale since 08:40, hard from 11:10\n`,
		`turns back to look for a child +admit +ok +\d+ +nobody walked through\n`,
		`presses the button to leave +done +the gate opened after \d+ ms\n`,
		`the disk has room again +done +the exit is written down, as event \d+\n`,
		`rule NO \(health and travel\)\n +deny: too_old\.`,
		`fail: scanner of in-1, GH-101: `,
		`the same ticket, at once +deny +revoked +\d+  \d+ ms after apply\n`,
		`ten minutes later +done +data 20 min old, 9 events wait\n`,
		`recorded meanwhile +done +\d+ events, one to one\n`,
		`the same certificate +wait +second_pass_needed`,
		`the gate opened; event \d+: admit, override, by the fleet: a pushchair\n`,
		`the same message once more +done +nothing moved, nothing recorded\n`,
		`revoked and published → refused at the gate: \d+ ms\n  events delivered over the broker: (\d+) of \d+, in order; duplicates 0\n`,
		`\n  all +\d+ +\d+ +\d+ +\d+ +\d+\n`,
		`p50 \d+ µs, p99 \d+ µs`,
		`people who came in that time +31\n  let in by this gate +26\n  refused by this gate, with a reason +5\n  let in by a check at the centre +0\n`,
		`\nEvery answer was the script's.\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(told) {
			t.Errorf("not told: %s", want)
		}
	}
	if strings.Contains(told, "←") {
		t.Error("a fault is told")
	}
	if t.Failed() {
		t.Log(told)
	}
}

// The morning goes by its script, and nothing of all its passes is on the disk or in the log: no code, no name, no id, no
// digest of a holder.
func TestNothingOfAPassIsKept(t *testing.T) {
	s, err := newStage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var told strings.Builder
	if err := play(t.Context(), s, &told); err != nil {
		t.Fatalf("%v\n%s", err, told.String())
	}
	expectTold(t, told.String())
	secrets := secretsOf(t, s, s.hands.now())
	s.kiosk.end(syscall.SIGTERM)
	s.kiosk = nil
	if err := s.office.kill(); err != nil {
		t.Fatal(err)
	}
	files := kept(t, s)
	if n := bytes.Count(files["kiosk.log"], []byte(`"msg":"scan"`)); n < 100 {
		t.Fatalf("the log has %d scans", n)
	}
	for _, leak := range found(files, secrets) {
		t.Error(leak)
	}

	// The search finds each of them in each form, wherever it lies.
	around := files["ledger.db"][:256]
	for i, secret := range secrets {
		for j, form := range forms(secret.text) {
			planted := slices.Concat(around, form, around)
			if len(found(map[string][]byte{"planted": planted}, secrets[i:i+1])) == 0 {
				t.Fatalf("%s was planted in form %d and not found", secret.what, j)
			}
		}
	}
}
