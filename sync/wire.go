// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/fleet"
)

// ErrWire: a message that is not of its topic's shape. It is left, and said so often and no more (complaints.go).
var ErrWire = errors.New("sync: a message is not of its topic's shape")

// Status is what a kiosk says of its connection, retained, in JSON. The broker publishes the will, Online false, in its
// place when the connection ends; a kiosk that sees one on its own topic corrects it.
type Status struct {
	Online  bool      `json:"online"`
	Boot    string    `json:"boot"`  // the boot id of the kernel
	Nonce   string    `json:"nonce"` // of the connection: what a command must name
	Version string    `json:"version"`
	At      time.Time `json:"at"` // as the kiosk's clock says
}

// Reported is what is in force on a kiosk, retained, in JSON, whenever it changes.
type Reported struct {
	Documents []Version `json:"documents"`
	Missing   []string  `json:"missing,omitempty"` // what the newest head names and is not there
	// Code is "ok", or why the newest documents that were offered are not in force ("older", "signature", …), and Reason
	// says it in words.
	Code    string `json:"code"`
	Reason  string `json:"reason,omitempty"`
	Program string `json:"program"` // its version

	Band       string    `json:"band,omitempty"`  // fresh, stale, hard
	Signed     time.Time `json:"signed,omitzero"` // of the data in force
	Conditions []string  `json:"conditions,omitempty"`
}

// Version is one document in force.
type Version struct {
	Kind    string `json:"kind"`
	Scope   string `json:"scope"`
	Version uint64 `json:"version"`
}

// Beat is a kiosk's sign of life, in JSON, every minute.
type Beat struct {
	At         time.Time `json:"at"`
	Clock      string    `json:"clock"`
	Uptime     int64     `json:"uptime"` // seconds
	Band       string    `json:"band"`   // fresh, stale, hard
	Signed     time.Time `json:"signed"` // of the data in force
	Conditions []string  `json:"conditions,omitempty"`
	Ledger     string    `json:"ledger"`
	Last       uint64    `json:"last"`     // number of the last event
	Received   uint64    `json:"received"` // up to which the collector has them
}

// Want asks for blocks of a blob, in CBOR. They come in this order.
type Want struct {
	Digest fleet.Digest `cbor:"digest"`
	Blocks []uint32     `cbor:"blocks"`         // 1 to maxWanted of them
	From   uint32       `cbor:"from,omitempty"` // bytes of the first of them that are here
}

// maxWanted bounds the blocks that one message asks for.
const maxWanted = 16

// Block is a piece of a block of a blob, in CBOR.
type Block struct {
	Digest fleet.Digest `cbor:"digest"` // of the blob
	Index  uint32       `cbor:"index"`
	From   uint32       `cbor:"from,omitempty"` // where in the block it begins, in bytes
	Data   []byte       `cbor:"data"`           // to the end of the block at most
}

// PieceSize is how much of a block travels at a time, in bytes: what a break in the middle of one costs. A block is what can
// be verified; a list of blocks as small as this would be longer than what breaks cost.
const PieceSize = 8 << 10

// Result is what became of a command, in JSON.
type Result struct {
	ID    string `json:"id"`
	Done  bool   `json:"done"`
	Code  string `json:"code"`            // "ok", or why not: "stale", "twice", "unknown-lane", …
	Text  string `json:"text,omitempty"`  // for a person
	Event uint64 `json:"event,omitempty"` // number of the event that records it
}

// maxNote bounds messages that are JSON, in bytes.
const maxNote = 16 << 10

func encodeNote(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the shapes above always can
	}
	return b
}

// ReadNote reads one of the messages that are JSON.
func ReadNote(b []byte, v any) error {
	if len(b) > maxNote {
		return fmt.Errorf("%w: %d bytes", ErrWire, len(b))
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrWire, err)
	}
	return nil
}

// strict reads the messages that are CBOR: a field too many, one twice or an indefinite length is an error.
func strict() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 4, MaxArrayElements: maxWanted, MaxMapPairs: 16, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		TextUnmarshaler: cbor.TextUnmarshalerTextString,
	}.DecMode()
	if err != nil {
		panic(err) // options are constants
	}
	return m
}

// digests travel as text, as in documents.
func plain() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	o.TextMarshaler = cbor.TextMarshalerTextString
	m, err := o.EncMode()
	if err != nil {
		panic(err) // options are constants
	}
	return m
}

// The two modes are immutable.
var (
	strictCBOR = strict()
	plainCBOR  = plain()
)

// Encode is the message as it travels.
func (w Want) Encode() []byte { return encodeCBOR(w) }

// Encode is the message as it travels.
func (b Block) Encode() []byte { return encodeCBOR(b) }

func encodeCBOR(v any) []byte {
	b, err := plainCBOR.Marshal(v)
	if err != nil {
		panic(err) // the shapes above always can
	}
	return b
}

// ReadWant reads what a kiosk asks for. Whether the blob has these blocks is for the caller to ask.
func ReadWant(raw []byte) (w Want, err error) {
	if err := strictCBOR.Unmarshal(raw, &w); err != nil {
		return w, fmt.Errorf("%w: %w", ErrWire, err)
	}
	if len(w.Blocks) == 0 || len(w.Blocks) > maxWanted {
		return w, fmt.Errorf("%w: %d blocks", ErrWire, len(w.Blocks))
	}
	if w.From >= fleet.BlockSize {
		return w, fmt.Errorf("%w: %d bytes of a block", ErrWire, w.From)
	}
	return w, nil
}

// ReadBlock reads a piece of a block. Whether it is the one of the blob is for the caller to ask.
func ReadBlock(raw []byte) (b Block, err error) {
	if err := strictCBOR.Unmarshal(raw, &b); err != nil {
		return b, fmt.Errorf("%w: %w", ErrWire, err)
	}
	if n := uint64(len(b.Data)); n == 0 || uint64(b.From)+n > fleet.BlockSize {
		return b, fmt.Errorf("%w: %d bytes of a block, from %d", ErrWire, n, b.From)
	}
	return b, nil
}
