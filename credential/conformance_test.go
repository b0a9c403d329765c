// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:debug x509negativeserial=1
package credential_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/credential"
)

// testdata opens a public vector, which is not part of this repository.
func testdata(tb testing.TB, name string) []byte {
	tb.Helper()
	dir, named := os.LookupEnv("GATEHOUSE_TESTDATA")
	if !named {
		dir = filepath.Join("..", "..", "shared", "testdata")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	switch {
	case err == nil:
	case !named && errors.Is(err, os.ErrNotExist):
		tb.Skipf("no test vectors: %v; set GATEHOUSE_TESTDATA to where they are", err)
	default:
		tb.Fatalf("test vectors of GATEHOUSE_TESTDATA: %v", err)
	}
	return b
}

// dccCase is a line of dcc/cases.ndjson.
type dccCase struct {
	ID, Code, Expect, Stage string
	At                      time.Time
	Trust                   []struct{ Issuer, X509 string }
	keys                    keyring
}

func dccCases(tb testing.TB) []dccCase {
	tb.Helper()
	var cases []dccCase
	lines := bufio.NewScanner(bytes.NewReader(testdata(tb, "dcc/cases.ndjson")))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c dccCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			tb.Fatal(err)
		}
		for _, t := range c.Trust {
			der, err := base64.StdEncoding.DecodeString(t.X509)
			if err != nil {
				tb.Fatalf("%s: %v", c.ID, err)
			}
			k, err := credential.KeyFromCertificate(t.Issuer, der)
			if err != nil {
				tb.Fatalf("%s: %v", c.ID, err)
			}
			c.keys = append(c.keys, &k)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return cases
}

// stages says which error each stage of an invalid vector ends in.
var stages = map[string]error{
	"ok":       nil,
	"keyusage": credential.ErrKeyNotAllowed,
	"exp":      credential.ErrExpired,
	"kid":      credential.ErrUnknownKey,
	"cose":     credential.ErrMalformed,
	"schema":   credential.ErrMalformed,
	"sig":      credential.ErrBadSignature,
	"prefix":   credential.ErrUnrecognised,
}

// TestDCCVectors holds Verify to every public vector: outcome and reason.
func TestDCCVectors(t *testing.T) {
	levels := map[string]int{}
	for _, c := range dccCases(t) {
		p, err := credential.Verify(c.Code, c.keys, c.At)
		want, known := stages[c.Stage]
		if !known {
			t.Errorf("%s: stage %q is not known to this test", c.ID, c.Stage)
		}
		if (err == nil) != (c.Expect == "valid") || !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %s at stage %s", c.ID, err, c.Expect, c.Stage)
			continue
		}
		if err != nil {
			continue
		}
		levels[p.Level]++
		if p.Format != credential.HC1 || p.Kind != credential.KindHealth || p.Issuer != c.Trust[0].Issuer {
			t.Errorf("%s: %v", c.ID, p)
		}
		if p.Since.IsZero() || p.Expires.IsZero() || len(p.ID) == 0 || len(p.Holder) != 32 || len(p.RevocationIDs()) != 3 {
			t.Errorf("%s: incomplete: since %v, expires %v, id %d, holder %d, revocation %v",
				c.ID, p.Since, p.Expires, len(p.ID), len(p.Holder), p.RevocationIDs())
		}
	}
	// A valid certificate is not a healthy person.
	if levels[credential.LevelPositive] != 15 {
		t.Errorf("levels %v, want 15 positive tests", levels)
	}
	t.Logf("levels: %v", levels)
}

// TestEveryProductionCertificateLoads reads the 829 signing certificates of a real list, four of which
// have a negative serial number.
func TestEveryProductionCertificateLoads(t *testing.T) {
	_, list, _ := bytes.Cut(testdata(t, "trust/eu-dsc/dsc-list.json"), []byte("\n"))
	var doc struct {
		Certificates []struct {
			Country string
			KID     []byte
			RawData []byte
		}
	}
	if err := json.Unmarshal(list, &doc); err != nil {
		t.Fatal(err)
	}
	count := map[credential.Algorithm]int{}
	for _, c := range doc.Certificates {
		k, err := credential.KeyFromCertificate(c.Country, c.RawData)
		if err != nil {
			t.Errorf("%s %x: %v", c.Country, c.KID, err)
			continue
		}
		if !bytes.Equal(k.ID, c.KID) {
			t.Errorf("%s: key identifier %x, the list says %x", c.Country, k.ID, c.KID)
		}
		count[k.Algorithm]++
	}
	if len(doc.Certificates) != 829 || count[credential.ES256]+count[credential.PS256] != 829 {
		t.Errorf("loaded %v of %d certificates, want 829", count, len(doc.Certificates))
	}
	t.Logf("loaded %v", count)
}

// keyring is a Trust in memory.
type keyring []*credential.Key

func (r keyring) Keys(f credential.Format, issuer string, kid []byte) ([]*credential.Key, error) {
	var found []*credential.Key
	known := issuer == ""
	for _, k := range r {
		if issuer != "" && k.Issuer != issuer {
			continue
		}
		known = true
		if bytes.Equal(k.ID, kid) {
			found = append(found, k)
		}
	}
	if !known {
		return nil, credential.ErrUnknownIssuer
	}
	return found, nil
}
