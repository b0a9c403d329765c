// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"
	"github.com/goccy/go-yaml"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// layers are the config layers of a venue and of each of its kiosks. Every kiosk's policy is checked as the kiosk will
// put it together.
func (f *Folder) layers(venue string) ([]body, error) {
	fleetLayer, err := f.layer(fleet.ScopeAll, f.path("venues", "all.yaml"))
	if err != nil {
		return nil, err
	}
	venuePath := f.path("venues", venue+".yaml")
	venueLayer, err := f.layer(fleet.Scope(venue), venuePath)
	if err != nil {
		return nil, err
	}
	bodies := slices.Concat(fleetLayer, venueLayer)
	if err := checkMerged(venuePath, bodies); err != nil {
		return nil, err
	}
	kiosks, err := readDir(f.path("kiosks", venue))
	if err != nil {
		return nil, err
	}
	wider := len(bodies)
	for _, k := range kiosks {
		p := fleet.Place{Venue: venue, Kiosk: k.Name()}
		if p.Validate() != nil {
			continue
		}
		path := f.path("kiosks", venue, k.Name(), "policy.yaml")
		layer, err := f.layer(fleet.Scope(p.String()), path)
		if err != nil {
			return nil, err
		}
		if err := checkMerged(path, slices.Concat(bodies[:wider], layer)); err != nil {
			return nil, err
		}
		bodies = append(bodies, layer...)
	}
	left, err := f.leftLayers(venue)
	return append(bodies, left...), err
}

// leftLayers are the layers of the venue's kiosks whose folders are gone: each as it was published. Such a kiosk may well
// be at work, and would take a head that leaves its layer out for a head that withholds it.
func (f *Folder) leftLayers(venue string) ([]body, error) {
	names, err := f.publishedNames("config@"+venue+"+", "")
	if err != nil {
		return nil, err
	}
	var bodies []body
	for _, kiosk := range names {
		if exists(f.path("kiosks", venue, kiosk)) {
			continue
		}
		b := body{kind: fleet.KindConfig, scope: fleet.Scope(venue + "/" + kiosk)}
		d, _, err := f.published(b)
		if err != nil {
			return nil, err
		}
		b.content = cbor.RawMessage(d.Body())
		bodies = append(bodies, b)
	}
	return bodies, nil
}

// layer reads one layer. Where there is no file there is none, or a tombstone if it was published before.
func (f *Folder) layer(scope fleet.Scope, path string) ([]body, error) {
	b := body{kind: fleet.KindConfig, scope: scope}
	layer, faults := readLayer(path)
	switch {
	case len(faults) > 0 && !errors.Is(faults[0], fs.ErrNotExist):
		return nil, faults[0]
	case len(faults) == 0:
		b.content = layer
	case exists(f.publishedPath(b)):
		b.content = fleet.Tombstone{}
	default:
		return nil, nil
	}
	return []body{b}, nil
}

// readLayer reads the file of a layer. Where there is none, the fault is fs.ErrNotExist.
func readLayer(path string) (fleet.Layer, []*Fault) {
	var p entry.Policy
	text, err := readYAML(path, &p)
	if err != nil {
		return nil, []*Fault{faultOf(path, err)}
	}
	if faults := policyFaults(path, text, &p); len(faults) > 0 {
		return nil, faults
	}
	keys := map[string]any{}
	if err := yaml.Unmarshal(text, &keys); err != nil {
		return nil, []*Fault{faultAt(path, 1, "%w", err)}
	}
	layer, err := fleet.LayerOf(&p, slices.Sorted(maps.Keys(keys))...)
	if err != nil {
		return nil, []*Fault{faultOf(path, err)}
	}
	return layer, nil
}

// layersOf are the layers among documents, without those that are withdrawn.
func layersOf(bodies []body) (layers []fleet.Layer) {
	for _, b := range bodies {
		if l, ok := b.content.(fleet.Layer); ok {
			layers = append(layers, l)
		}
	}
	return layers
}

// checkMerged tells what is wrong with a layer together with the wider ones. The line is that of its file, where the fault
// names a place.
func checkMerged(path string, bodies []body) error {
	if _, err := fleet.MergeLayers(layersOf(bodies)...); err != nil {
		text, _ := readFile(path)
		return policyFault(path, text, "", fmt.Errorf("together with the wider layers: %w", err))
	}
	return nil
}

// mergedFor is the policy of a kiosk, or of a venue, among layers.
func mergedFor(p fleet.Place, bodies []body) (*entry.Policy, error) {
	var mine []body
	for _, scope := range scopesOf(p) {
		for _, b := range bodies {
			if b.kind == fleet.KindConfig && b.scope == scope {
				mine = append(mine, b)
			}
		}
	}
	return fleet.MergeLayers(layersOf(mine)...)
}

// scopesOf are the scopes of a kiosk's layers, the widest first; with no kiosk those of its venue.
func scopesOf(p fleet.Place) []fleet.Scope {
	scopes := p.Scopes()
	if p.Kiosk == "" {
		return scopes[:2]
	}
	return scopes[:]
}
