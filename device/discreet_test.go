// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
)

// A wish of rivals' users: a log that can be turned up to its last word, and tools that can be read aloud, without
// a pass in either. Every kind of guest comes, every question is asked, at the debug level.
func TestDebugLogAndAnswersAreMasked(t *testing.T) {
	b := newBench(t)
	b.venue.policy.Accept = append(b.venue.policy.Accept, entry.Rule{Name: "health", All: []entry.Clause{{Kind: "health", Issuers: []string{"arena"}, Level: []string{"green"}}}})
	id, holder := []byte("an-id-of-a-guest"), []byte("a-holder-of-one-")
	claims := credential.Claims{ID: id, Holder: holder}
	health := claims
	health.Kind, health.Level = "health", "green"
	expired := claims
	expired.Expires = b.clock.Wall().Add(-time.Hour)
	codes := []string{b.pass(claims), b.pass(claims), b.pass(health), b.pass(expired)}
	codes = append(codes, codes[0][:len(codes[0])-5], "GH1:NOTAPASSATALL0", "a bystander's phone number 5550100")
	b.start()
	b.importBundle()
	tap := b.tap(false)
	var said strings.Builder
	note := func(answer any, err error) {
		t.Helper()
		text, jsonErr := json.Marshal(answer)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		said.Write(text)
		if err != nil {
			said.WriteString(err.Error())
		}
	}
	for _, code := range codes {
		b.show(code)
		note(tap.next(b), nil)
		note(b.client.Explain(b.ctx(), client.Shown{Codes: []string{code, code}}))
		note(b.client.Revoked(b.ctx(), client.Asked{Code: code}))
	}
	note(b.client.Revoked(b.ctx(), client.Asked{Issuer: "arena", ID: hex.EncodeToString(id)}))
	note(b.client.Events(b.ctx(), client.Query{}))
	note(b.client.Status(b.ctx()))
	note(b.client.Trust(b.ctx()))
	hash := entry.HashPass(b.cfg.venueKey, &credential.Pass{Format: credential.GH1, Issuer: "arena", ID: id})
	secrets := []string{string(id), hex.EncodeToString(id), string(holder), hex.EncodeToString(holder), hex.EncodeToString(hash[:])}
	for _, code := range codes {
		secrets = append(secrets, code[4:14])
	}
	for where, text := range map[string]string{"the log": b.log.String(), "the answers": said.String()} {
		if len(text) < 2000 || !strings.Contains(text, hash.String()) {
			t.Fatalf("%s: %d bytes without the short hash; the test would see nothing", where, len(text))
		}
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %s", secret, where)
			}
		}
	}
}
