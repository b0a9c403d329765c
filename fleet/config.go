// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"maps"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/entry"
)

// Layer is the body of a config document: some of the top-level keys of entry.Policy. Layers apply from the fleet's
// through the venue's to the kiosk's, and a later layer's key replaces the whole value of an earlier one's.
type Layer map[string]cbor.RawMessage

const null = 0xf6 // RFC 8949, section 3.3

// LayerOf takes the named top-level keys of a policy. Without a name it takes none: an empty layer changes nothing.
func LayerOf(p *entry.Policy, keys ...string) (Layer, error) {
	b, err := encMode.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("fleet: config: %w", err)
	}
	var all Layer
	if err := decMode.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("fleet: config: %w", err)
	}
	layer := Layer{}
	for _, k := range keys {
		v, ok := all[k]
		if !ok {
			v = cbor.RawMessage{null} // empty, and said so: a wider layer's value must not shine through
		}
		layer[k] = v
	}
	return layer, nil
}

// MergeLayers puts layers, widest first, into one policy and validates it as a whole.
func MergeLayers(layers ...Layer) (*entry.Policy, error) {
	merged := Layer{}
	for _, l := range layers {
		maps.Copy(merged, l)
	}
	b, err := encMode.Marshal(merged)
	if err != nil {
		return nil, fmt.Errorf("fleet: config: %w", err)
	}
	p, err := readPolicy(b)
	if err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	return p, nil
}

// FaultyLayer is the index of the layer with which a merge goes wrong for good: those before it are valid together.
func FaultyLayer(layers ...Layer) int {
	n := len(layers)
	for n > 1 {
		if _, err := MergeLayers(layers[:n-1]...); err == nil {
			break
		}
		n--
	}
	return n - 1
}

func readPolicy(b []byte) (*entry.Policy, error) {
	var p entry.Policy
	if err := decodeStrict(b, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// ReadLayer reads a config document. A layer must be understood by itself, also where a later one covers it.
func ReadLayer(d Document) (Layer, error) {
	var l Layer
	if d.Kind() != KindConfig {
		return nil, fmt.Errorf("%w: %s is no config", ErrKind, d)
	}
	if err := d.decodeBody(&l); err != nil {
		return nil, err
	}
	if _, err := readPolicy(d.Body()); err != nil {
		return nil, fmt.Errorf("%s: %w", d, err)
	}
	return l, nil
}
