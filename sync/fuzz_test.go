// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"reflect"
	"testing"
	"time"

	"gatehouse/fleet"
)

func FuzzReadWant(f *testing.F) {
	f.Add(Want{Digest: fleet.DigestOf([]byte("a")), Blocks: []uint32{0, 7}}.Encode())
	f.Add(Want{Digest: fleet.DigestOf([]byte("a")), Blocks: []uint32{3}, From: PieceSize}.Encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := ReadWant(raw)
		if err != nil {
			return
		}
		if len(w.Blocks) == 0 || len(w.Blocks) > maxWanted || w.From >= fleet.BlockSize {
			t.Errorf("%d blocks, from %d", len(w.Blocks), w.From)
		}
		if again, err := ReadWant(w.Encode()); err != nil || !reflect.DeepEqual(w, again) {
			t.Errorf("%+v became %+v, %v", w, again, err)
		}
	})
}

func FuzzReadBlock(f *testing.F) {
	f.Add(Block{Digest: fleet.DigestOf([]byte("a")), Index: 3, Data: []byte("a")}.Encode())
	f.Add(Block{Digest: fleet.DigestOf([]byte("a")), Index: 3, From: fleet.BlockSize - 1, Data: []byte("ab")}.Encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := ReadBlock(raw)
		if err != nil {
			return
		}
		if len(b.Data) == 0 || uint64(b.From)+uint64(len(b.Data)) > fleet.BlockSize {
			t.Errorf("%d bytes from %d", len(b.Data), b.From)
		}
		if again, err := ReadBlock(b.Encode()); err != nil || !reflect.DeepEqual(b, again) {
			t.Errorf("%+v became %+v, %v", b, again, err)
		}
	})
}

func FuzzReadNote(f *testing.F) {
	f.Add([]byte(`{"online":true,"boot":"b","nonce":"00112233445566778899aabbccddeeff","at":"2026-05-01T06:00:00Z"}`))
	f.Add([]byte(`{"id":"1","done":true,"code":"ok","event":7}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, v := range []any{new(Status), new(Reported), new(Beat), new(Result)} {
			if err := ReadNote(raw, v); err == nil && len(raw) > maxNote {
				t.Errorf("%d bytes were read", len(raw))
			}
		}
	})
}

func FuzzParseUp(f *testing.F) {
	f.Add("gatehouse/v1/arena/gate-1/up/ev")
	f.Add("gatehouse/v1/arena/gate-1/up/res/00")
	f.Fuzz(func(t *testing.T, topic string) {
		if from, leaf, ok := ParseUp(topic); ok && (from.Validate() != nil || UpTopic(from, leaf) != topic) {
			t.Errorf("%q is %v %q", topic, from, leaf)
		}
	})
}

func FuzzReadDocuments(f *testing.F) {
	d, err := fleet.Sign(fleet.KindHead, "arena", 1, time.Unix(1_800_000_000, 0), map[string]string{})
	if err != nil {
		f.Fatal(err)
	}
	raw, err := (&fleet.Bundle{Documents: []fleet.Document{d}}).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(RootTopic(), raw)
	f.Add(DocumentTopic(fleet.KindHead, "arena"), d.Bytes())
	f.Fuzz(func(t *testing.T, topic string, raw []byte) {
		docs, err := readDocuments(topic, raw)
		if err != nil {
			return
		}
		for _, d := range docs {
			if topic == RootTopic() && d.Kind() != fleet.KindRoot {
				t.Errorf("a root topic brought %s", d)
			}
		}
	})
}
