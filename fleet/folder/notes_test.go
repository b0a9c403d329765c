// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"gatehouse/entry"
)

// Every key that a file may have is explained to who edits it, and nothing else is.
func TestEveryKeyHasANote(t *testing.T) {
	if keys := unnoted(); len(keys) != 0 {
		t.Errorf("no note, or the note of no key: %v; see notes.go", keys)
	}
}

// unnoted are the keys of the files that have no note, and the notes of no key.
func unnoted() (keys []string) {
	left := map[string]bool{}
	for name := range notes {
		left[name] = true
	}
	var look func(t reflect.Type, name string)
	look = func(t reflect.Type, name string) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if _, text := textForms[t]; text || t.Kind() != reflect.Struct {
			return
		}
		for i := range t.NumField() {
			key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			at := name + "." + key
			if key != "" && notes[at].text == "" {
				keys = append(keys, at)
			}
			delete(left, at)
			look(t.Field(i).Type, at)
		}
	}
	look(reflect.TypeFor[settings](), "fleet")
	look(reflect.TypeFor[issuerFile](), "issuer")
	look(reflect.TypeFor[entry.Policy](), "policy")
	for name := range left {
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}
