// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/gate/gpio"
)

// What is believed is told with the age of signed data: a bundle that is imported again makes nothing younger.
func TestTrust(t *testing.T) {
	b := newBench(t)
	b.start()
	ask := func() *client.Trust {
		t.Helper()
		got, err := b.client.Trust(b.ctx())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := ask(); got.Freshness != "none" || got.Documents == nil || len(got.Documents) != 0 || len(got.Issuers) != 0 {
		t.Errorf("before a bundle: %+v", got)
	}
	b.importBundle()
	got := ask()
	kinds := map[string]client.DocumentAges{}
	for _, d := range got.Documents {
		kinds[d.Kind] = d
	}
	for _, kind := range []string{"root", "head", "issuers", "config", "revocations/arena"} {
		d := kinds[kind]
		if d.Version != 1 || !d.Signed.Equal(b.venue.signed.Truncate(time.Second)) || d.Freshness != "fresh" || !d.FreshUntil.Before(d.HardAfter) {
			t.Errorf("%s: %+v", kind, d)
		}
	}
	if len(got.Issuers) != 1 || got.Issuers[0].Name != "arena" || len(got.Issuers[0].Keys) != 1 {
		t.Fatalf("issuers %+v", got.Issuers)
	}
	if k := got.Issuers[0].Keys[0]; k.ID != hex.EncodeToString(b.venue.issuer.ID) || k.Algorithm != "EdDSA" || len(k.Formats) != 1 {
		t.Errorf("key %+v", k)
	}
	b.importBundle()
	if again := ask(); !again.Documents[0].Signed.Equal(got.Documents[0].Signed) {
		t.Error("importing made the data younger")
	}
}

// A pass is asked about by its code, expired or not, or by its id, and nothing of it is in an answer or the log.
func TestRevoked(t *testing.T) {
	b := newBench(t)
	b.start()
	gone, valid := []byte("a-pass-that-went"), []byte("a-pass-that-goes")
	b.venue.revoke(gone)
	ask := func(asked client.Asked) (*client.Revocation, error) { return b.client.Revoked(b.ctx(), asked) }
	if _, err := ask(client.Asked{Issuer: "arena", ID: hex.EncodeToString(gone)}); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "import a bundle") {
		t.Errorf("before a bundle: %v", err)
	}
	b.importBundle()
	past := b.clock.Wall().Add(-time.Hour)
	for _, c := range []struct {
		what, state, by, other string
		asked                  client.Asked
	}{
		{"a revoked code", "revoked", "id", "", client.Asked{Code: b.pass(credential.Claims{ID: gone})}},
		{"a revoked code that has expired", "revoked", "id", "expired", client.Asked{Code: b.pass(credential.Claims{ID: gone, Expires: past})}},
		{"a revoked id", "revoked", "id", "", client.Asked{Issuer: "arena", ID: hex.EncodeToString(gone)}},
		{"a code", "not_revoked", "", "", client.Asked{Code: b.pass(credential.Claims{ID: valid})}},
		{"an id", "not_revoked", "", "", client.Asked{Issuer: "arena", ID: hex.EncodeToString(valid)}},
		{"a list that is not here", "unknown", "", "", client.Asked{Code: b.pass(credential.Claims{ID: valid, Status: &credential.StatusRef{Index: 3, URI: "none"}})}},
	} {
		r, err := ask(c.asked)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if r.State != c.state || r.By != c.by || r.Other != c.other || len(r.Documents) != 1 || r.Documents[0].Version != 1 {
			t.Errorf("%s: %+v", c.what, r)
		}
		if text, _ := json.Marshal(r); c.asked.Code != "" && strings.Contains(string(text), c.asked.Code[:24]) {
			t.Errorf("%s: the code is in the answer", c.what)
		}
	}
	for what, asked := range map[string]client.Asked{
		"no issuer that is known": {Issuer: "nobody", ID: hex.EncodeToString(gone)},
		"half an id":              {Issuer: "arena", ID: "00ff"},
		"no pass":                 {Code: "SECRET-CODE"},
		"nothing":                 {},
	} {
		if _, err := ask(asked); !errors.Is(err, client.ErrRefused) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if strings.Contains(b.log.String(), hex.EncodeToString(gone)) || strings.Contains(b.log.String(), "SECRET") {
		t.Error("the log tells of a pass")
	}
}

func TestLines(t *testing.T) {
	b := newBench(t)
	b.start()
	if _, err := b.client.Lines(b.ctx()); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "simulated") {
		t.Errorf("a board without chips: %v", err)
	}
	k := &kiosk{cfg: b.cfg, hw: Hardware{Chips: func() ([]gpio.Chip, error) {
		return []gpio.Chip{{Name: "gpiochip0", Lines: []gpio.NamedLine{{Number: 1, Name: "relay0"}, {Number: 2, Name: "spare", Consumer: "fan"}}}}, nil
	}}}
	got, err := k.listLines()
	if err != nil || len(got.Chips) != 1 || got.Chips[0].Lines[0].Wired != "in-1 relay" || got.Chips[0].Lines[1] != (client.Line{Number: 2, Name: "spare", Consumer: "fan"}) {
		t.Errorf("%+v, %v", got, err)
	}
	k.hw.Chips = func() ([]gpio.Chip, error) { return nil, gpio.ErrNoChip }
	if _, err := k.listLines(); !errors.Is(err, gpio.ErrNoChip) {
		t.Errorf("got %v", err)
	}
}
