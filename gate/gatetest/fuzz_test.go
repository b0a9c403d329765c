// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gatetest

import (
	"testing"

	"gatehouse/gate"
)

// Whatever a line says, it names a lane and one of the board's own contacts, or it is no request.
func FuzzRequest(f *testing.F) {
	for _, line := range []string{
		`{"lane":"in-1","output":"relay","active":true}`, `{"lane":"in-1","output":"passage"}`,
		`{"lane":"","output":"relay"}`, `{"lane":"in-1","output":"moat"}`, `{`, ``, `[]`, `null`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		req, err := readRequest(line)
		if err != nil {
			if req != (request{}) {
				t.Errorf("a request beside the error: %+v", req)
			}
			return
		}
		switch req.Output {
		case gate.Relay, gate.Green, gate.Red, Passage:
		default:
			t.Errorf("output %q", req.Output)
		}
		if req.Lane == "" {
			t.Error("no lane")
		}
	})
}
