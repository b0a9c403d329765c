// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"gatehouse/credential"
)

// benchCodes is how many different codes a benchmark goes through, and the length of a round.
const benchCodes = 32

func BenchmarkVerifyGH1(b *testing.B) {
	k := newIssuer(b, "arena", credential.EdDSA)
	codes := make([]string, benchCodes)
	for i := range codes {
		c := ticket(i)
		codes[i] = sign(b, c, k)
	}
	pub := k.Signer.Public().(ed25519.PublicKey)
	benchmarkVerify(b, codes, keyringOf(b, k), func(message, signature []byte) func() bool {
		return func() bool { return ed25519.Verify(pub, message, signature) }
	})
}

func BenchmarkVerifyHC1ES256(b *testing.B) {
	codes, key := benchDCCs(b, credential.ES256)
	pub := key.Public.(*ecdsa.PublicKey)
	benchmarkVerify(b, codes, keyring{key}, func(message, signature []byte) func() bool {
		digest := sha256.Sum256(message)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return func() bool { return ecdsa.Verify(pub, digest[:], r, s) }
	})
}

func BenchmarkVerifyHC1PS256(b *testing.B) {
	codes, key := benchDCCs(b, credential.PS256)
	pub := key.Public.(*rsa.PublicKey)
	benchmarkVerify(b, codes, keyring{key}, func(message, signature []byte) func() bool {
		digest := sha256.Sum256(message)
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return func() bool { return rsa.VerifyPSS(pub, crypto.SHA256, digest[:], signature, options) == nil }
	})
}

func benchDCCs(b *testing.B, a credential.Algorithm) ([]string, *credential.Key) {
	signer := newDSC(b, "AT", a, 0)
	codes := make([]string, benchCodes)
	for i := range codes {
		c := vaccinated()
		c.UCI = fmt.Sprintf("URN:UVCI:01:AT:%030d", i)
		codes[i] = signDCC(b, c, signer)
	}
	key, err := signer.Key()
	if err != nil {
		b.Fatal(err)
	}
	return codes, &key
}

// benchmarkVerify reports ns/op of Verify, raw-ns/op of the bare signature checks of the same codes,
// and ratio, the median over rounds in which both took turns.
func benchmarkVerify(b *testing.B, codes []string, trust credential.Trust, raw func(message, signature []byte) func() bool) {
	checks := make([]func() bool, len(codes))
	for i, code := range codes {
		message, signature, err := credential.Signed(code)
		if err != nil {
			b.Fatal(err)
		}
		checks[i] = raw(message, signature)
	}
	verify := func(code string) {
		if _, err := credential.Verify(code, trust, morning); err != nil {
			b.Fatal(err)
		}
	}

	// The clock is read here rather than stopped and started, which would stop the world each round.
	var ratios []float64
	var total, rawTotal time.Duration
	b.ResetTimer() // without the time to make an RSA key, which would leave room for a few rounds only
	for done := 0; done < b.N; {
		n := min(len(codes), b.N-done)
		done += n
		start := time.Now()
		for _, code := range codes[:n] {
			verify(code)
		}
		took := time.Since(start)
		start = time.Now()
		for _, check := range checks[:n] {
			if !check() {
				b.Fatal("the raw check fails")
			}
		}
		bare := time.Since(start)
		total += took
		rawTotal += bare
		ratios = append(ratios, float64(took)/float64(bare))
	}
	slices.Sort(ratios)
	b.ReportMetric(testing.AllocsPerRun(100, func() { verify(codes[0]) }), "allocs")
	b.ReportMetric(float64(total)/float64(b.N), "ns/op")
	b.ReportMetric(float64(rawTotal)/float64(b.N), "raw-ns/op")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(len(codes[0])), "chars")
}
