// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestVectors asks `gatehouse verify` the published vectors, each with its answer beside it.
func TestVectors(t *testing.T) {
	passes := []string{"ok", "unrecognised", "malformed", "unknown_issuer", "unknown_key", "bad_signature", "key_not_allowed",
		"not_yet_valid", "expired", "revoked"}
	certificates := []string{"ok", "malformed", "unknown_key", "bad_signature", "key_not_allowed", "not_yet_valid", "expired", "revoked"}
	t.Run("gh1", func(t *testing.T) { askVectors(t, "gh1.ndjson", passes) })
	t.Run("hc1", func(t *testing.T) { askVectors(t, "hc1.ndjson", certificates) })
}

// askVectors asks the vectors of a file and makes sure that each of the reasons was met.
func askVectors(t *testing.T, name string, reasons []string) {
	vectors := filepath.Join("..", "..", "docs", "vectors")
	questions, err := os.ReadFile(filepath.Join(vectors, name))
	if err != nil {
		t.Fatal(err)
	}
	var answers, diagnostics bytes.Buffer
	b, err := newBatch(filepath.Join(vectors, "trust.json"), "", &diagnostics)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.run(bytes.NewReader(questions), &answers); err != nil {
		t.Fatal(err)
	}
	if diagnostics.Len() > 0 {
		t.Errorf("verify complains of the vectors: %s", &diagnostics)
	}
	met := map[string]int{}
	got := json.NewDecoder(&answers)
	for _, line := range bytes.Split(bytes.TrimSpace(questions), []byte("\n")) {
		var v struct {
			ID     string `json:"id"`
			Note   string `json:"note"`
			Expect answer `json:"expect"`
		}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := got.Decode(&a); err != nil {
			t.Fatal(err)
		}
		met[string(a.Reason)]++
		if want := v.Expect; string(a.ID) != `"`+v.ID+`"` || a.Outcome != want.Outcome || a.Reason != want.Reason || a.Format != want.Format ||
			a.Issuer != want.Issuer || a.KID != want.KID {
			t.Errorf("%s (%s): answered %+v, want %+v", v.ID, v.Note, a, want)
		}
	}
	for _, reason := range reasons {
		if met[reason] == 0 {
			t.Errorf("no vector is answered %s", reason)
		}
	}
}
