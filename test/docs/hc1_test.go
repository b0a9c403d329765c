// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/credential/credentialtest"
)

// packed is a certificate as its code has it. Nothing is compressed in it, for how much a compressor saves is its own
// choice: the stream is the same in every run, and any other is as good.
func packed(t *testing.T, cose, tail []byte) string {
	t.Helper()
	var b bytes.Buffer
	z, err := zlib.NewWriterLevel(&b, zlib.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(cose); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return "HC1:" + credentialtest.Base45(append(b.Bytes(), tail...))
}

// person is a certificate of somebody who does not exist, without its group.
func person() pairs {
	return pairs{
		{"ver", "1.3.0"}, {"nam", pairs{{"fn", "Muster"}, {"gn", "Test"}, {"fnt", "MUSTER"}, {"gnt", "TEST"}}}, {"dob", "1998-02-26"},
	}
}

const uci = "URN:UVCI:01:XX:GATEHOUSE-TEST#1"

func vaccination(doses int) any {
	return []any{pairs{{"tg", "840539006"}, {"vp", "1119349007"}, {"mp", "EU/1/20/1528"}, {"ma", "ORG-100030215"}, {"dn", doses}, {"sd", 2},
		{"dt", "2026-04-01"}, {"co", "XX"}, {"is", "Gatehouse test"}, {"ci", uci}}}
}

func testResult(result string) any {
	return []any{pairs{{"tg", "840539006"}, {"tt", "LP6464-4"}, {"sc", "2026-05-03T18:00:00Z"}, {"tr", result}, {"tc", "Gatehouse test"},
		{"co", "XX"}, {"is", "Gatehouse test"}, {"ci", uci}}}
}

func recovery() any {
	return []any{pairs{{"tg", "840539006"}, {"fr", "2026-03-01"}, {"co", "XX"}, {"is", "Gatehouse test"}, {"df", "2026-03-12"}, {"du", "2026-08-28"}, {"ci", uci}}}
}

// certificate makes a sample of a right certificate of the key, of somebody vaccinated, and one change. health is what
// changes inside of it.
func certificate(id, reason, note string, k *testKey, health func(pairs) pairs, alter func(*draft)) sample {
	d := newDraft(k, id)
	d.hc1 = true
	c := person().with("v", vaccination(2))
	if health != nil {
		c = health(c)
	}
	d.claims = pairs{{1, "XX"}, {4, morning.AddDate(1, 0, 0).Unix()}, {6, morning.AddDate(0, -1, 0).Unix()}, {-260, pairs{{1, c}}}}
	if alter != nil {
		alter(d)
	}
	return sample{id: id, reason: reason, note: note, draft: d}
}

func certificates(t *testing.T, k *keys) []sample {
	all := takenCertificates(t, k)
	all = append(all, refusedCertificates(t, k)...)
	return append(all, revokedCertificates(t, k)...)
}

func takenCertificates(t *testing.T, k *keys) []sample {
	ok := func(id, note string, health func(pairs) pairs, alter func(*draft)) sample {
		return certificate(id, "ok", note, k.country, health, alter)
	}
	instead := func(group string, entry any) func(pairs) pairs {
		return func(c pairs) pairs { return c.without("v").with(group, entry) }
	}
	indefinite := func(d *draft) {
		b := d.claims.encode(t)
		b[0] = 0xbf
		d.payload = append(b, 0xff)
	}
	return []sample{
		ok("vaccinated", "vaccinated", nil, nil),
		ok("partial", "doses are missing: valid, and no level that a rule should take", instead("v", vaccination(1)), nil),
		ok("recovered", "recovered", instead("r", recovery()), nil),
		ok("negative", "a negative test", instead("t", testResult("260415000")), nil),
		ok("positive", "a positive test: a valid certificate of an infected person", instead("t", testResult("260373001")), nil),
		ok("hc1-tags-none", "no tag", nil, func(d *draft) { d.tags = nil }),
		ok("hc1-tags-61-18", "the tags 61(18(…))", nil, func(d *draft) { d.tags = []byte{0xd8, 61, 0xd2} }),
		ok("hc1-kid-unprotected", "the kid in the unprotected header", nil, func(d *draft) {
			d.protected, d.unprotected = d.protected.without(4), pairs{{4, d.kid}}
		}),
		ok("hc1-kid-twice", "a kid in both headers: the protected one counts", nil, func(d *draft) {
			d.unprotected = pairs{{4, []byte("another!")}}
		}),
		ok("hc1-alg-unprotected", "the algorithm in the unprotected header", nil, func(d *draft) {
			d.protected, d.unprotected = d.protected.without(1), pairs{{1, d.key.alg}}
		}),
		ok("hc1-float-times", "times as floats", nil, func(d *draft) {
			d.claims = d.claims.with(4, float64(morning.Unix())+7200.25).with(6, float64(morning.Unix())-0.5)
		}),
		ok("hc1-tagged-time", "a time behind tag 1", nil, func(d *draft) {
			d.claims = d.claims.with(4, cbor.Tag{Number: 1, Content: morning.AddDate(1, 0, 0).Unix()})
		}),
		ok("hc1-tagged-text", "a birth date behind tag 0", func(c pairs) pairs {
			return c.with("dob", cbor.Tag{Number: 0, Content: "1998-02-26"})
		}, nil),
		ok("hc1-null-groups", "groups that are null or empty beside the one that counts", func(c pairs) pairs {
			return c.with("t", nil).with("r", []any{})
		}, nil),
		ok("hc1-indefinite", "claims of indefinite length", nil, indefinite),
		ok("hc1-order", "claims in another order", nil, func(d *draft) { d.claims[0], d.claims[3] = d.claims[3], d.claims[0] }),
		ok("hc1-iss-other", "an iss that is not the key's country: the issuer is that of the key", nil, func(d *draft) { d.claims = d.claims.with(1, "YY") }),
		ok("hc1-no-iss", "no iss", nil, func(d *draft) { d.claims = d.claims.without(1) }),
		ok("hc1-no-uci", "no UCI", func(c pairs) pairs {
			return c.with("v", []any{pairs{{"dn", 2}, {"sd", 2}, {"dt", "2026-04-01"}}})
		}, nil),
		certificate("hc1-usage", "ok", "a test, signed by a certificate for tests", k.tests, instead("t", testResult("260415000")), nil),
		certificate("hc1-usage-other-arc", "ok", "a vaccination, signed by a certificate that writes its usage in the other arc", k.vaccinations, nil, nil),
	}
}

func refusedCertificates(t *testing.T, k *keys) []sample {
	bad := func(id, note string, health func(pairs) pairs, alter func(*draft)) sample {
		return certificate(id, "malformed", note, k.country, health, alter)
	}
	without := func(key string) func(pairs) pairs {
		return func(c pairs) pairs { return c.without(key) }
	}
	nobodys := func(d *draft) { d.issuer = "" } // an HC1 code names no issuer, and no key of one is found
	all := []sample{
		bad("hc1-tail", "bytes behind the end of the zlib stream", nil, func(d *draft) { d.tail = []byte{0} }),
		bad("hc1-detached", "a detached payload (null)", nil, func(d *draft) {
			d.seal = func(p, u, c, s []byte) []byte {
				return bytes.Join([][]byte{{0x84}, encode(t, p), u, {0xf6}, encode(t, s)}, nil)
			}
		}),
		bad("hc1-no-exp", "no exp", nil, func(d *draft) { d.claims = d.claims.without(4) }),
		bad("hc1-exp-text", "an exp that is no number", nil, func(d *draft) { d.claims = d.claims.with(4, "2027") }),
		bad("hc1-key-twice", "exp twice", nil, func(d *draft) { d.claims = append(d.claims, d.claims[1]) }),
		bad("hc1-no-certificate", "no certificate", nil, func(d *draft) { d.claims = d.claims.without(-260) }),
		bad("hc1-no-name", "no name", without("nam"), nil),
		bad("hc1-no-birth", "no birth date", without("dob"), nil),
		bad("hc1-no-version", "no ver", without("ver"), nil),
		bad("hc1-no-entry", "no vaccination, test or recovery", without("v"), nil),
		bad("hc1-two-groups", "a vaccination and a recovery", func(c pairs) pairs { return c.with("r", recovery()) }, nil),
		certificate("hc1-usage-wrong", "key_not_allowed", "a vaccination, signed by a certificate for tests", k.tests, nil, nil),
		certificate("hc1-certificate-over", "key_not_allowed", "signed by a certificate that is not valid any more", k.former, nil, nil),
		certificate("hc1-bare-key", "key_not_allowed", "signed with a key that may sign Gatehouse passes only", k.es256, nil, nil),
		certificate("hc1-unknown-key", "unknown_key", "a kid that no certificate has", k.country, nil, func(d *draft) {
			d.issuer, d.kid = "", []byte("nobody's")
			d.protected = d.protected.with(4, d.kid)
		}),
		certificate("hc1-forged", "bad_signature", "signed by another key under this kid", k.country, nil, func(d *draft) {
			nobodys(d)
			d.sign = func(t *testing.T, _ *testKey, m []byte) []byte { return k.former.sign(t, m) }
		}),
		certificate("hc1-expired", "expired", "at exp itself", k.country, nil, func(d *draft) { d.claims = d.claims.with(4, morning.Unix()) }),
		certificate("hc1-early", "not_yet_valid", "a second before nbf", k.country, nil, func(d *draft) {
			d.claims = d.claims.with(5, morning.Add(time.Second).Unix())
		}),
	}
	plain := "HC1:" + credentialtest.Base45(certificate("hc1-not-deflated", "", "", k.country, nil, nil).cose(t))
	return append(all, sample{id: "hc1-not-deflated", reason: "malformed", note: "not compressed", text: plain})
}

// revokedCertificates are revoked by each of the names that a certificate has.
func revokedCertificates(t *testing.T, k *keys) []sample {
	short := func(b []byte) string {
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:16])
	}
	revoked := func(id, reason, note string, name func(d *draft) string) sample {
		s := certificate(id, reason, note, k.country, nil, nil)
		s.revoked = []string{name(s.draft)}
		return s
	}
	signature := func(d *draft) []byte {
		return d.key.sign(t, encode(t, []any{"Signature1", d.protected.encode(t), []byte{}, d.claims.encode(t)}))
	}
	return []sample{
		revoked("hc1-revoked-signature", "revoked", "revoked by R of its signature", func(d *draft) string { return "SIGNATURE:" + short(signature(d)[:32]) }),
		revoked("hc1-revoked-whole-signature", "ok", "R and S together name nothing", func(d *draft) string { return "SIGNATURE:" + short(signature(d)) }),
		revoked("hc1-revoked-uci", "revoked", "revoked by its UCI", func(*draft) string { return "UCI:" + short([]byte(uci)) }),
		revoked("hc1-revoked-country-uci", "revoked", "revoked by its iss and UCI", func(*draft) string { return "COUNTRYCODEUCI:" + short([]byte("XX"+uci)) }),
	}
}

// usageOf is an extended key usage of a document signing certificate, in one of the two arcs.
func usageOf(arc ...int) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{arc} }
}
