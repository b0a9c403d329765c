// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package yamlfile

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/entry"
)

type document struct {
	Name  string           `yaml:"name"`
	Wait  entry.Duration   `yaml:"wait"`
	Items []map[string]int `yaml:"items"`
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"good", "name: a\nwait: 2d\n", ""},
		{"empty", " \n\n", "1: the file is empty"},
		{"unknown key", "name: a\ncolour: red\n", `2: unknown field "colour"`},
		{"key twice", "name: a\n\nname: b\n", "3: "},
		{"another type", "items:\n  - {a: b}\n", "2: "},
		{"a type that reads text", "name: a\nwait: soon\n", `2: entry: "soon" is not a duration`},
		{"marked as a document", "---\nname: a\n", ""},
		{"a second document", "name: a\n---\nwait: 2d\n", "2: a second document begins here"},
		{"a second document that is empty", "name: a\n---\n", "2: a second document begins here"},
		{"an empty first document", "---\n---\nname: a\n", "2: a second document begins here"},
		{"text after the end", "name: a\n...\nwait: 2d\n", "3: a second document begins here"},
		{"no YAML", "name: [\n", "1: "},
		{"large", strings.Repeat("#\n", MaxSize), "1: the file is larger"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Decode([]byte(c.text), new(document))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var fault *Fault
			if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestLine(t *testing.T) {
	text := []byte("name: a\nitems:\n  - {a: 1}\n  - {b: 2}\n")
	for path, line := range map[string]int{"$.name": 1, "$.items[1]": 4, "$.items[1].b": 4, "$.items[1].c": 4, "$.items[7].c": 3, "$.other": 1, "$": 1} {
		if got := Line(text, path); got != line {
			t.Errorf("%s: line %d, want %d", path, got, line)
		}
	}
}
