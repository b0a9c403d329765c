// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Bounds on everything that is read before its signatures are known to be good.
const (
	maxDocument   = 4 << 20  // bytes of one envelope
	maxBundle     = 64 << 20 // bytes of one bundle file
	maxDocuments  = 4096     // documents in a bundle
	maxBlobs      = 1024     // blobs in a bundle
	maxSignatures = 16       // signatures on one document
	maxSignature  = 256      // bytes of one signature with its headers
	maxNesting    = 16
	maxElements   = 65536 // of one array or map
)

// encoding is RFC 8949 section 4.2.1, core deterministic encoding. Durations and digests are text.
func encoding() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	o.TextMarshaler = cbor.TextMarshalerTextString
	o.NilContainers = cbor.NilContainerAsEmpty
	m, err := o.EncMode()
	if err != nil {
		panic(err) // options are constants
	}
	return m
}

// decoding is strict: a field that the target does not have, a name twice, an indefinite length or a tag is an error.
func decoding() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:           cbor.DupMapKeyEnforcedAPF,
		IndefLength:         cbor.IndefLengthForbidden,
		TagsMd:              cbor.TagsForbidden,
		MaxNestedLevels:     maxNesting,
		MaxArrayElements:    maxElements,
		MaxMapPairs:         maxElements,
		ExtraReturnErrors:   cbor.ExtraDecErrorUnknownField,
		UTF8:                cbor.UTF8RejectInvalid,
		FieldNameMatching:   cbor.FieldNameMatchingCaseSensitive,
		TextUnmarshaler:     cbor.TextUnmarshalerTextString,
		IntDec:              cbor.IntDecConvertNone,
		BignumTag:           cbor.BignumTagForbidden,
		NaN:                 cbor.NaNDecodeForbidden,
		Inf:                 cbor.InfDecodeForbidden,
		MapKeyByteString:    cbor.MapKeyByteStringForbidden,
		FieldNameByteString: cbor.FieldNameByteStringForbidden,
	}.DecMode()
	if err != nil {
		panic(err) // options are constants
	}
	return m
}

// The two modes are immutable; building them anew for each document would cost more than its signature check.
var (
	encMode = encoding()
	decMode = decoding()
)

// decodeStrict reads data into v and says which of the two sentinels a failure is.
func decodeStrict(data []byte, v any) error {
	err := decMode.Unmarshal(data, v)
	var unknown *cbor.UnknownFieldError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w: it has a field that this version does not know", ErrUnsupported)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}
