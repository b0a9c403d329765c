// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/gate"
)

// A code is explained on today's data, and leaves neither an event nor a trace in the log.
func TestExplain(t *testing.T) {
	b := newBench(t)
	b.start()
	ask := func(code string) (*client.Explanation, client.Answer) {
		t.Helper()
		e, err := b.client.Explain(b.ctx(), client.Shown{Codes: []string{code}})
		if err != nil || len(e.Answers) != 1 {
			t.Fatalf("%+v, %v", e, err)
		}
		return e, e.Answers[0]
	}
	ticket := b.pass(credential.Claims{})
	if _, e := ask(ticket); e.Reason != "out_of_order" || e.Outcome != "refer" || len(e.Steps) != 1 || e.Steps[0].Step != "belief" || e.Steps[0].Held {
		t.Errorf("without documents: %+v", e)
	}
	b.importBundle()
	before := b.waitStatus("a status", func(*client.Status) bool { return true })
	told, e := ask(ticket)
	if e.Outcome != "admit" || e.Reason != "ok" || e.Rule != "day ticket" || told.Lane != "in-1" || told.Clock.State != "synced" || len(e.Pass) != 8 || len(told.Obstacles) != 0 || told.Clock.SyncedAt.IsZero() {
		t.Errorf("a ticket: %+v", e)
	}
	held := map[string]string{}
	for _, s := range e.Steps {
		for _, i := range s.Inputs {
			held[s.Step] += i.Name + "=" + i.Value + "\n"
		}
	}
	for step, want := range map[string]string{
		"belief": "head of arena, version 1, signed ", "verify": "issuer=arena\nkey=", "revocation": "revocations/arena of all, version 1",
		"freshness": "stale from=", "venue": "venue=arena", "rule": "config of arena, version 1", "uses": "uses=1 in all",
	} {
		if !strings.Contains(held[step], want) {
			t.Errorf("step %s went by %q, want %q", step, held[step], want)
		}
	}
	if after := b.waitStatus("a status", func(*client.Status) bool { return true }); after.Ledger != before.Ledger || after.Lanes[0].Scans != 0 {
		t.Errorf("explaining changed the record: %+v, %+v", before.Ledger, after.Ledger)
	}
	b.expect("ok", ticket) // its use was not taken
	told, e = ask(ticket)
	if last := e.Steps[len(e.Steps)-1]; e.Reason != "already_used" || last.Step != "uses" || last.Held || !strings.HasPrefix(last.Inputs[1].Value, "event 2, ") || !strings.Contains(last.Inputs[1].Value, "s ago, lane in-1, committed") {
		t.Errorf("a used ticket: %+v", e)
	}
	text, _ := json.Marshal(told)
	for _, leak := range []string{ticket, ticket[4:24]} {
		if strings.Contains(string(text), leak) || strings.Contains(b.log.String(), leak) {
			t.Error("the code left the kiosk")
		}
	}
}

// What keeps the lane from answering at all is told beside the rule's answer.
func TestExplainTellsObstacles(t *testing.T) {
	b := newBench(t)
	b.lines = func(LaneConfig) (gate.Lines, error) { return nil, errors.New("no such chip") }
	if err := b.scanner.Plug(); err != nil {
		t.Fatal(err)
	}
	b.run()
	b.waitStatus("a lane without lines, and open stores", func(s *client.Status) bool {
		return strings.Contains(s.Lanes[0].Gate, "no such chip") && !s.Clock.At.IsZero()
	})
	b.importBundle()
	e, err := b.client.Explain(b.ctx(), client.Shown{Lane: "in-1", Codes: []string{b.pass(credential.Claims{})}})
	if err != nil || e.Answers[0].Reason != "ok" || len(e.Obstacles) != 1 || !strings.Contains(e.Obstacles[0], "no such chip") {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := b.client.Explain(b.ctx(), client.Shown{Lane: "in-2", Codes: []string{"x"}}); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "there are in-1") {
		t.Errorf("another lane: %v", err)
	}
}

// No failure tells a piece of what was sent: neither a body that is none, nor a panic.
func TestQuestionsAreDiscreet(t *testing.T) {
	b := newBench(t)
	a := &api{kiosk: &kiosk{log: b.quiet()}}
	for what, answer := range map[string]func(http.ResponseWriter, *http.Request) (any, error){
		"a body that is none": a.postExplain,
		"a panic":             func(http.ResponseWriter, *http.Request) (any, error) { panic("GH1:SECRET") },
	} {
		w := httptest.NewRecorder()
		a.discreet(answer)(w, httptest.NewRequest(http.MethodPost, "/v1/explain", strings.NewReader("GH1:SECRET")))
		if w.Code < 400 || strings.Contains(w.Body.String()+b.log.String(), "SECRET") {
			t.Errorf("%s: %d %s\n%s", what, w.Code, w.Body, b.log)
		}
	}
	w := httptest.NewRecorder()
	a.discreet(a.postExplain)(w, httptest.NewRequest(http.MethodPost, "/v1/explain", strings.NewReader(`{"codes":["`+strings.Repeat("x", 3*client.MaxCode)+`"]}`)))
	if w.Code < 400 {
		t.Errorf("a body without end: %d", w.Code)
	}
}

// During a fire the status and an explanation say why nobody is let in.
func TestExplainTellsOfAFire(t *testing.T) {
	b := newWayOutBench(t)
	b.start()
	b.importBundle()
	b.wantFire(true)
	defer b.wantFire(false)
	s := b.waitStatus("the fire", func(s *client.Status) bool { return s.Lanes[0].Fire != "well" })
	if l := s.Lanes[0]; l.Fire == "" || l.Exit != "well" || l.Sensor != "" {
		t.Errorf("%+v", l)
	}
	if e := b.explain(t, b.pass(credential.Claims{})); e.Answers[0].Reason != "ok" || len(e.Obstacles) != 1 || !strings.Contains(e.Obstacles[0], "lane_closed: its fire contact is active") {
		t.Errorf("%+v", e)
	}
}
