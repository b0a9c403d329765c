// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import "strings"

// Signed takes a good code apart into what was signed and the signature.
func Signed(code string) (message, signature []byte, err error) {
	for _, f := range formats {
		if body, ok := strings.CutPrefix(code, f.prefix); ok {
			s, err := f.decode(body)
			if err != nil {
				return nil, nil, err
			}
			return s.cose.toBeSigned(nil), s.cose.signature, nil
		}
	}
	return nil, nil, ErrUnrecognised
}

// For tests of the parts.
var (
	DecodeBase45 = decodeBase45
	EncodeBase45 = encodeBase45
	Inflate      = inflate
	ParseDate    = parseDate
)

// MaxCode and MaxInflated are the bounds that tests go up to.
const (
	MaxCode     = maxCode
	MaxInflated = maxInflated
)

// OpenGH1 takes the bytes of a Gatehouse pass apart, if they are one.
func OpenGH1(b []byte) (protected, payload []byte, err error) {
	s, err := decodeGH1(encodeBase45(b))
	if err != nil {
		return nil, nil, err
	}
	return s.cose.protected, s.cose.payload, nil
}
