// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package credentialtest makes EU Digital COVID Certificates (HC1) for tests, benchmarks and the
// demo: signing certificates of its own and DCCs of people who do not exist.
//
// It is written on go-cose and fxamacker/cbor rather than on package credential, so that each checks
// the other. It deliberately makes nothing that a real country would accept.
package credentialtest

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"gatehouse/credential"
)

// Signer is a document signing certificate with its private key.
type Signer struct {
	Country     string // two letters; also the iss of what it signs
	Certificate []byte // DER
	algorithm   cose.Algorithm
	key         crypto.Signer
}

// NewSigner makes a self-signed document signing certificate for ES256 or PS256 (RSA 2048), valid from
// one time to the other, whose extended key usage names the given members; 0 = no such extension.
func NewSigner(country string, a credential.Algorithm, usage credential.DCCUsage, from, until time.Time) (*Signer, error) {
	s := &Signer{Country: country}
	var err error
	switch a {
	case credential.ES256:
		s.algorithm = cose.AlgorithmES256
		s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case credential.PS256:
		s.algorithm = cose.AlgorithmPS256
		s.key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		return nil, fmt.Errorf("credentialtest: a DCC is signed with ES256 or PS256, not %v", a)
	}
	if err != nil {
		return nil, fmt.Errorf("credentialtest: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Country: []string{country}, CommonName: "Gatehouse test signer"},
		NotBefore:    from,
		NotAfter:     until,
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	for i, bit := range []credential.DCCUsage{credential.DCCTest, credential.DCCVaccination, credential.DCCRecovery} {
		if usage&bit != 0 {
			template.UnknownExtKeyUsage = append(template.UnknownExtKeyUsage,
				asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1847, 2021, 1, i + 1})
		}
	}
	s.Certificate, err = x509.CreateCertificate(rand.Reader, template, template, s.key.Public(), s.key)
	if err != nil {
		return nil, fmt.Errorf("credentialtest: %w", err)
	}
	return s, nil
}

// Key is the trusted key of the signer's certificate; its issuer is the country.
func (s *Signer) Key() (credential.Key, error) {
	return credential.KeyFromCertificate(s.Country, s.Certificate)
}

// DCC is what a certificate says. Exactly one of Vaccination, Test and Recovery is to be given.
type DCC struct {
	FamilyName, GivenName string // in capitals, as in a passport's machine-readable zone
	BirthDate             string // 2006-01-02
	UCI                   string
	Issued, Expires       time.Time

	Vaccination *Vaccination
	Test        *Test
	Recovery    *Recovery
}

// Vaccination is dose Dose of a series of Doses.
type Vaccination struct {
	Dose, Doses int
	Date        time.Time
}

// Test is a test result.
type Test struct {
	Positive bool
	Sampled  time.Time
}

// Recovery is a recovery, dated by the first positive test.
type Recovery struct{ FirstPositive time.Time }

// SignHC1 returns the code of a DCC: what its QR code contains.
func SignHC1(c DCC, s *Signer) (code string, err error) {
	health, err := c.health(s.Country)
	if err != nil {
		return "", err
	}
	return s.Seal(map[any]any{1: s.Country, 4: c.Expires.Unix(), 6: c.Issued.Unix(), -260: map[any]any{1: health}})
}

// Seal signs any claims, right or wrong, as the payload of an HC1 code.
func (s *Signer) Seal(claims map[any]any) (code string, err error) {
	payload, err := cbor.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("credentialtest: %w", err)
	}
	return s.SealBytes(payload)
}

// SealBytes is Seal for a payload that is encoded already.
func (s *Signer) SealBytes(payload []byte) (code string, err error) {
	kid := sha256.Sum256(s.Certificate)
	m := cose.NewSign1Message()
	m.Headers.Protected[cose.HeaderLabelAlgorithm] = s.algorithm
	m.Headers.Protected[cose.HeaderLabelKeyID] = kid[:8]
	m.Payload = payload
	signer, err := cose.NewSigner(s.algorithm, s.key)
	if err != nil {
		return "", fmt.Errorf("credentialtest: %w", err)
	}
	if err := m.Sign(rand.Reader, nil, signer); err != nil {
		return "", fmt.Errorf("credentialtest: %w", err)
	}
	signed, err := m.MarshalCBOR()
	if err != nil {
		return "", fmt.Errorf("credentialtest: %w", err)
	}
	return Pack(signed), nil
}

// Pack deflates a COSE_Sign1 and writes it as the text of an HC1 code.
func Pack(signed []byte) string {
	var deflated bytes.Buffer
	z := zlib.NewWriter(&deflated)
	z.Write(signed) // a bytes.Buffer takes everything
	z.Close()
	return "HC1:" + Base45(deflated.Bytes())
}

// Base45 is RFC 9285 in its plainest form.
func Base45(b []byte) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
	var s strings.Builder
	for i := 0; i < len(b); i += 2 {
		n, count := int(b[i]), 2
		if i+1 < len(b) {
			n, count = n<<8|int(b[i+1]), 3
		}
		for range count {
			s.WriteByte(digits[n%45])
			n /= 45
		}
	}
	return s.String()
}

func (c *DCC) health(country string) (map[string]any, error) {
	entry := map[string]any{"tg": "840539006", "co": country, "is": "Gatehouse test issuer", "ci": c.UCI}
	var groups []string
	if v := c.Vaccination; v != nil {
		groups = append(groups, "v")
		entry["vp"], entry["mp"], entry["ma"] = "1119349007", "EU/1/20/1528", "ORG-100030215"
		entry["dn"], entry["sd"], entry["dt"] = v.Dose, v.Doses, v.Date.UTC().Format(time.DateOnly)
	}
	if t := c.Test; t != nil {
		groups = append(groups, "t")
		entry["tt"], entry["tc"], entry["sc"] = "LP6464-4", "Gatehouse test centre", t.Sampled.UTC().Format(time.RFC3339)
		if entry["tr"] = "260415000"; t.Positive {
			entry["tr"] = "260373001"
		}
	}
	if r := c.Recovery; r != nil {
		groups = append(groups, "r")
		entry["fr"] = r.FirstPositive.UTC().Format(time.DateOnly)
		entry["df"] = r.FirstPositive.UTC().AddDate(0, 0, 11).Format(time.DateOnly)
		entry["du"] = r.FirstPositive.UTC().AddDate(0, 0, 180).Format(time.DateOnly)
	}
	if len(groups) != 1 {
		return nil, errors.New("credentialtest: a DCC holds exactly one of Vaccination, Test and Recovery")
	}
	return map[string]any{
		"ver":     "1.3.0",
		"nam":     map[string]string{"fn": c.FamilyName, "fnt": c.FamilyName, "gn": c.GivenName, "gnt": c.GivenName},
		"dob":     c.BirthDate,
		groups[0]: []any{entry},
	}, nil
}
