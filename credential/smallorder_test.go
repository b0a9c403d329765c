// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"

	"gatehouse/credential"
)

// edwards is arithmetic on edwards25519 by the formulas of RFC 8032, section 5.1, to check the table of small orders by.
type edwards struct{ p, d *big.Int }

func newEdwards() edwards {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	d := new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))
	return edwards{p, d.Mod(d, p)}
}

func (e edwards) mul(x, y *big.Int) *big.Int { z := new(big.Int).Mul(x, y); return z.Mod(z, e.p) }

func (e edwards) over(x, y *big.Int) *big.Int { return e.mul(x, new(big.Int).ModInverse(y, e.p)) }

// double returns 2(x, y).
func (e edwards) double(x, y *big.Int) (*big.Int, *big.Int) {
	one := big.NewInt(1)
	xx, yy := e.mul(x, x), e.mul(y, y)
	t := e.mul(e.d, e.mul(xx, yy))
	x3 := e.over(e.mul(big.NewInt(2), e.mul(x, y)), new(big.Int).Add(one, t))
	y3 := e.over(new(big.Int).Mod(new(big.Int).Add(xx, yy), e.p), new(big.Int).Mod(new(big.Int).Sub(one, t), e.p))
	return x3, y3
}

// point is the x of a y, as RFC 8032, section 5.1.3 recovers it.
func (e edwards) point(y *big.Int) (x *big.Int, ok bool) {
	yy := e.mul(y, y)
	u := new(big.Int).Sub(yy, big.NewInt(1))
	v := new(big.Int).Add(e.mul(e.d, yy), big.NewInt(1))
	x = new(big.Int).ModSqrt(e.over(u.Mod(u, e.p), v), e.p)
	return x, x != nil
}

// small tells whether 8(x, y) is the neutral element.
func (e edwards) small(y *big.Int) bool {
	x, ok := e.point(y)
	if !ok {
		return false
	}
	for range 3 {
		x, y = e.double(x, y)
	}
	return x.Sign() == 0 && y.Cmp(big.NewInt(1)) == 0
}

func littleEndian(y *big.Int) []byte {
	b := y.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// smallOrderKeys are all encodings of points of small order, from arithmetic: halving finds those of order 8.
func smallOrderKeys(t *testing.T) [][]byte {
	t.Helper()
	e := newEdwards()
	ys := []*big.Int{big.NewInt(0), big.NewInt(1), new(big.Int).Sub(e.p, big.NewInt(1))}
	// A point of order 8 doubles to one with y = 0: x² + y² = 0, so x² = -y², and -x² + y² = 1 + d x² y² gives d y⁴ + 2 y² - 1 = 0.
	root := new(big.Int).ModSqrt(new(big.Int).Add(e.d, big.NewInt(1)), e.p)
	for _, r := range []*big.Int{root, new(big.Int).Sub(e.p, root)} {
		yy := e.over(new(big.Int).Mod(new(big.Int).Sub(r, big.NewInt(1)), e.p), e.d)
		if y := new(big.Int).ModSqrt(yy, e.p); y != nil {
			ys = append(ys, y, new(big.Int).Sub(e.p, y))
		}
	}
	var keys [][]byte
	for _, y := range ys {
		if !e.small(y) {
			t.Fatalf("%x is of no small order", littleEndian(y))
		}
		encodings := []*big.Int{y}
		if beyond := new(big.Int).Add(y, e.p); beyond.BitLen() <= 255 {
			encodings = append(encodings, beyond)
		}
		for _, n := range encodings {
			k := littleEndian(n)
			signed := bytes.Clone(k)
			signed[31] |= 0x80
			keys = append(keys, k, signed)
		}
	}
	if len(keys) != 14 {
		t.Fatalf("%d encodings, want 7 with either sign", len(keys))
	}
	return keys
}

func TestKeysOfSmallOrderAreRefused(t *testing.T) {
	for _, public := range smallOrderKeys(t) {
		k := credential.Key{Issuer: "arena", ID: []byte{1}, Algorithm: credential.EdDSA, Public: ed25519.PublicKey(public)}
		if err := k.Validate(); err == nil {
			t.Errorf("%x was taken", public)
		}
	}
	// What that keeps out: one signature that is good for every message.
	neutral := append([]byte{1}, make([]byte, 31)...)
	forged := append(bytes.Clone(neutral), make([]byte, 32)...)
	for _, message := range []string{"a ticket", "another"} {
		if !ed25519.Verify(neutral, []byte(message), forged) {
			t.Errorf("the forgery is not good for %q; the danger is not what it was thought to be", message)
		}
	}
	base, err := hex.DecodeString("5866666666666666666666666666666666666666666666666666666666666666")
	if err != nil {
		t.Fatal(err)
	}
	k := credential.Key{Issuer: "arena", ID: []byte{1}, Algorithm: credential.EdDSA, Public: ed25519.PublicKey(base)}
	if err := k.Validate(); err != nil {
		t.Errorf("a key of large order: %v", err)
	}
}
