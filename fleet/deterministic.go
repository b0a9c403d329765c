// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// checkDeterministic refuses CBOR that could have been written otherwise: there is one encoding of each payload, so that
// its digest names its content. It builds nothing: what nobody has signed yet must not fill a kiosk's memory.
func checkDeterministic(data []byte) error {
	if err := decMode.Wellformed(data); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if rest, ok := cutDeterministic(data); !ok || len(rest) > 0 {
		return fmt.Errorf("%w: not the deterministic encoding of RFC 8949, section 4.2.1", ErrMalformed)
	}
	return nil
}

// The parts of a head (RFC 8949, section 3).
const (
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	majorOther = 7

	simpleFalse = 20
	simpleNull  = 22
)

// cutDeterministic returns what follows the first item. data is well-formed, which bounds nesting and lengths. No
// document holds a tag, a float or a simple value but false, true and null.
func cutDeterministic(data []byte) (rest []byte, ok bool) {
	major, n, rest, ok := cutHead(data)
	if !ok {
		return nil, false
	}
	switch major {
	case majorBytes, majorText:
		s := rest[:n]
		return rest[n:], major == majorBytes || utf8.Valid(s)
	case majorArray:
		for ; n > 0 && ok; n-- {
			rest, ok = cutDeterministic(rest)
		}
	case majorMap:
		var last []byte
		for ; n > 0 && ok; n-- {
			at := rest
			if rest, ok = cutDeterministic(rest); !ok {
				break
			}
			key := at[:len(at)-len(rest)]
			if bytes.Compare(last, key) >= 0 {
				return nil, false
			}
			last = key
			rest, ok = cutDeterministic(rest)
		}
	case majorOther:
		return rest, simpleFalse <= n && n <= simpleNull
	}
	return rest, ok
}

// cutHead reads the head of an item. It is not ok where a shorter one would do, and for tags and floats.
func cutHead(data []byte) (major byte, n uint64, rest []byte, ok bool) {
	major, info, rest := data[0]>>5, data[0]&31, data[1:]
	if info < 24 {
		return major, uint64(info), rest, major <= majorMap || major == majorOther
	}
	size := 1 << (info - 24)
	for _, b := range rest[:size] {
		n = n<<8 | uint64(b)
	}
	least := uint64(24)
	if size > 1 {
		least = 1 << (4 * size)
	}
	return major, n, rest[size:], n >= least && major <= majorMap
}
