// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/fleet"
)

// TestOpenAgainstAHistory signs a random history of a fleet, and brings a kiosk bundles made of it: whole, in part, of
// several editions at once, replayed, out of order, and with signatures cut off. The kiosk loses what it stored, and keeps
// its floor. What is in force is always what one head signed as a whole, no version ever goes back, and in the end the
// newest is believed.
func TestOpenAgainstAHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{model: newModel(t), heads: map[uint64]map[string]uint64{}}
		h.putIssuers(1, true, true)
		h.put(fleet.RevocationsOf("guest"), "all", 1, fleet.RevocationList{})
		h.publish()
		for range rapid.IntRange(1, 8).Draw(rt, "editions") {
			for range rapid.IntRange(0, 3).Draw(rt, "changes") {
				h.change(rt)
			}
			h.publish()
		}
		k := &witnessed{history: h, known: h.known(), marks: map[string]uint64{}}
		rt.Repeat(map[string]func(*rapid.T){
			"whole": func(rt *rapid.T) { k.bring(rt, h.editions[k.draw(rt)]) },
			"part":  func(rt *rapid.T) { k.bring(rt, k.part(rt, h.editions[k.draw(rt)])) },
			"mixed": func(rt *rapid.T) {
				k.bring(rt, append(k.part(rt, h.editions[k.draw(rt)]), k.part(rt, h.editions[k.draw(rt)])...))
			},
			"cut": func(rt *rapid.T) { k.bring(rt, k.cut(rt, h.editions[k.draw(rt)])) },
			"lose": func(rt *rapid.T) {
				if k.update == nil {
					rt.Skip("nothing is stored")
				}
				k.known, k.update = fleet.Known{Pin: k.known.Pin, Place: place, Floor: k.known.Marks}, nil
			},
			"store": func(rt *rapid.T) { k.restart(rt) },
		})
		if !k.bring(rt, h.editions[len(h.editions)-1]) {
			rt.Fatal("the newest edition was refused")
		}
		if k.head != uint64(len(h.editions)) || len(k.update.Terms().Incomplete) > 0 {
			rt.Fatalf("the newest edition is %d, and %d is in force", len(h.editions), k.head)
		}
	})
}

// history is what the operator signed.
type history struct {
	*model
	roots    uint64
	withheld bool // guest's list has a tombstone
	editions [][]fleet.Document
	heads    map[uint64]map[string]uint64 // versions of all documents but the root, by the head's sequence
}

func (h *history) version(n string) uint64 {
	d, ok := h.docs[n]
	if !ok {
		return 0
	}
	return d.Version()
}

// change signs one thing anew, as an operator would.
func (h *history) change(rt *rapid.T) {
	list := fleet.RevocationList{Deltas: []fleet.Delta{{Add: rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(rt, "id")}}}
	switch rapid.IntRange(0, 6).Draw(rt, "change") {
	case 0:
		h.put(fleet.KindConfig, "arena", h.version("config arena")+1, h.layer(rapid.StringN(1, 8, -1).Draw(rt, "rule")))
	case 1:
		h.put(fleet.RevocationsOf("arena"), "all", h.version("revocations/arena all")+1, list)
	case 2:
		h.withheld = !h.withheld
		h.putIssuers(h.version("issuers all")+1, !h.withheld, true)
		body := any(list)
		if h.withheld {
			body = fleet.Tombstone{}
		}
		h.put(fleet.RevocationsOf("guest"), "all", h.version("revocations/guest all")+1, body)
	case 3:
		body := any(fleet.Tombstone{})
		if rapid.Bool().Draw(rt, "layer") {
			body = h.layer("gate's own")
		}
		h.put(fleet.KindConfig, "arena/gate-1", h.version("config arena/gate-1")+1, body)
	case 4:
		h.rotate("head")
	case 5:
		h.rotate("revocations")
	case 6:
		h.rotate("root")
	}
}

// rotate replaces a key, and signs anew what bears the old one.
func (h *history) rotate(role string) {
	if h.roots >= 7 {
		return
	}
	former := h.keys["root"]
	fresh := key(h.tb, fmt.Sprintf("%s of root %d", role, h.roots+2))
	if role == "root" {
		offline := []fleet.SigningKey{former[1], former[2], fresh}
		h.keys["root"], h.keys["issuers"], h.keys["config"] = offline, offline, offline
	} else {
		h.keys[role] = []fleet.SigningKey{fresh}
	}
	h.roots++
	h.root(h.roots+1, former[1], former[2])
	for _, n := range slices.Sorted(maps.Keys(h.docs)) {
		d := h.docs[n]
		if d.Kind() == fleet.KindRoot || fleet.Verify(h.docs["root/newest"], d) == nil {
			continue
		}
		body := any(rawBody(d.Body()))
		h.put(d.Kind(), d.Scope(), d.Version()+1, body)
	}
}

type rawBody []byte

func (b rawBody) MarshalCBOR() ([]byte, error) { return b, nil }

// publish signs a head of all that is in force now.
func (h *history) publish() {
	sequence := uint64(len(h.editions)) + 1
	edition := h.bundle(sequence).Documents
	named := map[string]uint64{}
	for _, d := range edition {
		if d.Kind() != fleet.KindRoot {
			named[string(d.Kind())+" "+string(d.Scope())] = d.Version()
		}
	}
	h.editions, h.heads[sequence] = append(h.editions, edition), named
}

// witnessed is a kiosk whose every step is watched.
type witnessed struct {
	*history
	known  fleet.Known
	update *fleet.Update
	head   uint64            // in force
	marks  map[string]uint64 // the highest of each that was believed
}

func (k *witnessed) draw(rt *rapid.T) int {
	return rapid.IntRange(0, len(k.editions)-1).Draw(rt, "edition")
}

func (k *witnessed) part(rt *rapid.T, whole []fleet.Document) []fleet.Document {
	var part []fleet.Document
	for _, d := range whole {
		if rapid.IntRange(0, 3).Draw(rt, "here") > 0 {
			part = append(part, d)
		}
	}
	return part
}

// cut takes the signatures from one document of an edition.
func (k *witnessed) cut(rt *rapid.T, whole []fleet.Document) []fleet.Document {
	whole = slices.Clone(whole)
	i := rapid.IntRange(0, len(whole)-1).Draw(rt, "cut")
	whole[i] = k.sign(whole[i].Kind(), whole[i].Scope(), whole[i].Version(), whole[i].Issued(), rawBody(whole[i].Body()))
	return whole
}

// bring imports documents in any order and checks what came of it. What is refused must change nothing, which is so by
// the shape of Open: known is only replaced by an update.
func (k *witnessed) bring(rt *rapid.T, ds []fleet.Document) bool {
	ds = slices.Clone(ds)
	order := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "order"), 0))
	order.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
	u, err := fleet.Open(k.known, docs(ds...), morning)
	if err != nil {
		return false
	}
	k.known, k.update = after(k.known, u), u
	k.check(rt)
	return true
}

func (k *witnessed) check(rt *rapid.T) {
	inForce := versions(k.update)
	head := inForce["head arena"]
	if head < k.head {
		rt.Fatalf("head %d was in force and %d is now", k.head, head)
	}
	k.head = head
	for n, version := range k.heads[head] {
		if inForce[n] != version {
			rt.Fatalf("head %d names version %d of %s, and %d is in force", head, version, n, inForce[n])
		}
	}
	if len(inForce) != len(k.heads[head])+1 { // and the root
		rt.Fatalf("head %d names %v, and %v is in force", head, k.heads[head], inForce)
	}
	newest := head
	for _, m := range k.update.Marks() {
		n := string(m.Kind) + " " + string(m.Scope)
		if m.Version < k.marks[n] {
			rt.Fatalf("version %d of %s was believed, and the mark is %d", k.marks[n], n, m.Version)
		}
		k.marks[n] = m.Version
		if m.Kind == fleet.KindHead {
			newest = m.Version
		}
	}
	for _, b := range []time.Time{k.update.Terms().Signed, k.update.Terms().Bands("arena").Signed, k.update.Terms().Bands("guest").Signed} {
		signed := func(n uint64) time.Time { return morning.Add(time.Duration(n) * time.Minute) }
		if b.Before(signed(head)) || b.After(signed(newest)) || newest == head && !b.Equal(signed(head)) {
			rt.Fatalf("head %d is in force, %d the newest, and data is of %v", head, newest, b)
		}
	}
}

// restart reads what was kept.
func (k *witnessed) restart(rt *rapid.T) {
	if k.update == nil {
		rt.Skip("nothing is known")
	}
	u, err := fleet.Open(k.known, nil, morning)
	if err != nil {
		rt.Fatalf("what was kept does not open: %v", err)
	}
	if !reflect.DeepEqual(u.Terms(), k.update.Terms()) || len(u.Changed()) > 0 {
		rt.Fatalf("what was kept says %+v, not %+v; changed %v", u.Terms(), k.update.Terms(), u.Changed())
	}
}
