// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import "errors"

// base45Digits is the alphabet of RFC 9285, section 4.2: the alphanumeric mode of QR codes.
const base45Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// notBase45 marks what is no digit; any sum with it exceeds every valid one.
const notBase45 = 1 << 20

var base45Values = func() (t [256]uint32) {
	for i := range t {
		t[i] = notBase45
	}
	for i := range len(base45Digits) {
		t[base45Digits[i]] = uint32(i)
	}
	return t
}()

var errBase45 = errors.New("not base45")

// decodeBase45 is the strict inverse of encodeBase45: groups whose value does not fit its bytes, a
// single left-over digit and any other character are refused (RFC 9285, section 4), so that each
// sequence of bytes has exactly one text.
func decodeBase45(s string) ([]byte, error) {
	if len(s)%3 == 1 {
		return nil, errBase45
	}
	b := make([]byte, 0, len(s)/3*2+1)
	for ; len(s) >= 3; s = s[3:] {
		n := base45Values[s[0]] + 45*base45Values[s[1]] + 45*45*base45Values[s[2]]
		if n > 0xffff {
			return nil, errBase45
		}
		b = append(b, byte(n>>8), byte(n))
	}
	if len(s) == 2 {
		n := base45Values[s[0]] + 45*base45Values[s[1]]
		if n > 0xff {
			return nil, errBase45
		}
		b = append(b, byte(n))
	}
	return b, nil
}

// encodeBase45 follows RFC 9285, section 4.
func encodeBase45(b []byte) string {
	s := make([]byte, 0, (len(b)+1)/2*3)
	for ; len(b) >= 2; b = b[2:] {
		n := uint(b[0])<<8 | uint(b[1])
		s = append(s, base45Digits[n%45], base45Digits[n/45%45], base45Digits[n/(45*45)])
	}
	if len(b) == 1 {
		s = append(s, base45Digits[b[0]%45], base45Digits[b[0]/45])
	}
	return string(s)
}
