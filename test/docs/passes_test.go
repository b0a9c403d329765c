// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"gatehouse/credential"
	"gatehouse/entry"
)

// block is a fenced block of a document: the words behind its fence and its lines.
type block struct{ info, text string }

var fenced = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(doc(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func blocks(text string) (all []block) {
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

// TestPassesExcerpts holds the pass that is taken apart in docs/passes.md to its vector, and the count of vectors.
func TestPassesExcerpts(t *testing.T) {
	text, all := read(t, "passes.md"), vectors(t, "gh1.ndjson")
	found := map[string]int{}
	for _, b := range blocks(text) {
		form, id, named := strings.Cut(b.info, " ")
		if !named {
			continue
		}
		found[form]++
		var got, want string
		switch form {
		case "code":
			got, want = strings.TrimSuffix(b.text, "\n"), all[id].Code
		case "hex":
			for line := range strings.Lines(b.text) {
				digits, _, _ := strings.Cut(line, "#")
				got += strings.TrimSpace(digits)
			}
			want = all[id].COSE
		}
		if want == "" || got != want {
			t.Errorf("the %s of %s is\n%s, and the vector has\n%s", form, id, got, want)
		}
	}
	if found["code"] == 0 || found["hex"] == 0 {
		t.Errorf("excerpts found: %v", found)
	}
	for name, all := range map[string]int{"gh1.ndjson": len(all), "hc1.ndjson": len(vectors(t, "hc1.ndjson"))} {
		if count := fmt.Sprintf("[vectors/%s](vectors/%s) has %d ", name, name, all); !strings.Contains(text, count) {
			t.Errorf("docs/passes.md does not say: %s", count)
		}
	}
}

// TestPassesNamesEveryError holds the table of docs/passes.md to the closed set of credential.Verify.
func TestPassesNamesEveryError(t *testing.T) {
	_, table, ok := strings.Cut(read(t, "passes.md"), "\n## How a check ends\n")
	table, _, end := strings.Cut(table, "\n## ")
	if !ok || !end {
		t.Fatal("the chapter is gone")
	}
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		rows = append(rows, m[1])
	}
	var want []string
	for _, err := range []error{credential.ErrUnrecognised, credential.ErrMalformed, credential.ErrUnknownIssuer, credential.ErrUnknownKey,
		credential.ErrBadSignature, credential.ErrKeyNotAllowed, credential.ErrNotYetValid, credential.ErrExpired, credential.ErrTrustUnavailable} {
		want = append(want, string(entry.ReasonOf(err)))
	}
	if fmt.Sprint(rows) != fmt.Sprint(want) {
		t.Errorf("docs/passes.md has %v, and the errors are %v", rows, want)
	}
}

// harness runs the document's own sign and verify on the vectors: a line of JSON each.
const harness = `
import json, sys
for line in sys.stdin:
    v = json.loads(line)
    kid, key = bytes.fromhex(v["kid"]), Ed25519PrivateKey.from_private_bytes(bytes.fromhex(v["seed"]))
    claims = verify(bytes.fromhex(v["cose"]), {kid: key.public_key()})
    print("same" if sign(key, kid, claims) == v["code"] else "another")
`

// TestPassesPython runs the Python of docs/passes.md: it verifies vectors of Ed25519 and signs their claims to the same codes.
func TestPassesPython(t *testing.T) {
	var program string
	for _, b := range blocks(read(t, "passes.md")) {
		if b.info == "python" {
			program += b.text
		}
	}
	python := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} { // another may stand before the system's in the path
		if exec.Command(p, "-c", "import cbor2, cryptography").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("python3 with cbor2 and cryptography is not here: apt-get install python3-cbor2 python3-cryptography")
	}
	k, all := newKeys(t), vectors(t, "gh1.ndjson")
	var in bytes.Buffer
	ids := []string{"ticket-ed25519", "least", "full"}
	for _, id := range ids {
		question := map[string]string{"kid": k.arena.KID, "seed": k.arena.Private, "cose": all[id].COSE, "code": all[id].Code}
		if err := json.NewEncoder(&in).Encode(question); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python, "-c", program+harness)
	cmd.Stdin = &in
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "same\n") != len(ids) {
		t.Errorf("%v\n%s", err, out)
	}
}
