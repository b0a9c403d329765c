// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
	"gatehouse/entry"
)

// A vaccination and a test of one day, as some countries wanted them: certificates name a person by name and birth date.
func TestCertificatesOfOnePerson(t *testing.T) {
	d := newPairDesk(t)
	dsc, err := credentialtest.NewSigner("AT", credential.ES256, 0, d.at.AddDate(-1, 0, 0), d.at.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	key, err := dsc.Key()
	if err != nil {
		t.Fatal(err)
	}
	d.know.KeyList = append(d.know.KeyList, &key)
	*d.rule() = entry.Rule{Name: "two g plus", All: []entry.Clause{
		{Kind: "health", Issuers: []string{key.Issuer}, Level: []string{"vaccinated", "recovered"}, MaxAge: entry.Duration(270 * 24 * hour)},
		{Kind: "health", Issuers: []string{key.Issuer}, Level: []string{"negative"}, MaxAge: entry.Duration(24 * hour)}}}
	n := 0
	certificate := func(given, born string, fill func(*credentialtest.DCC)) string {
		n++
		c := credentialtest.DCC{Issued: d.at.Add(-hour), Expires: d.at.AddDate(0, 1, 0), UCI: fmt.Sprintf("URN:UVCI:01:AT:%d", n),
			FamilyName: "MUSTER", GivenName: given, BirthDate: born}
		fill(&c)
		code, err := credentialtest.SignHC1(c, dsc)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	vaccinated := func(c *credentialtest.DCC) {
		c.Vaccination = &credentialtest.Vaccination{Dose: 2, Doses: 2, Date: d.at.AddDate(0, -2, 0)}
	}
	tested := func(hours int, positive bool) func(*credentialtest.DCC) {
		return func(c *credentialtest.DCC) {
			c.Test = &credentialtest.Test{Sampled: d.at.Add(-time.Duration(hours) * hour), Positive: positive}
		}
	}
	eva, born := certificate("EVA", "1970-01-01", vaccinated), "1970-01-01"
	d.shows(eva, entry.ReasonSecondPassNeeded)
	d.shows(certificate("EVA", born, tested(3, false)), entry.ReasonOK)
	d.shows(certificate("EVA", born, tested(3, false)), entry.ReasonSecondPassNeeded)
	d.shows(eva, entry.ReasonOK)
	for name, c := range map[string]struct {
		second string
		want   entry.Reason
	}{
		"another name":       {certificate("ADAM", born, tested(3, false)), entry.ReasonDifferentHolder},
		"another birth date": {certificate("EVA", "1971-01-01", tested(3, false)), entry.ReasonDifferentHolder},
		"a test of long ago": {certificate("EVA", born, tested(25, false)), entry.ReasonTooOld},
		"a test of tomorrow": {certificate("EVA", born, tested(-3, false)), entry.ReasonNotYetValid},
		"a positive test":    {certificate("EVA", born, tested(3, true)), entry.ReasonNotAccepted},
	} {
		d.shows(eva, entry.ReasonSecondPassNeeded)
		dec := d.shows(c.second, c.want)
		if text := fmt.Sprintf("%+v %+v", dec, d.ledger.Events()); strings.Contains(text, "MUSTER") || strings.Contains(text, "1970") {
			t.Errorf("%s: a decision or its event prints a name or a birth date", name)
		}
	}
	// A pass of another format names its holder in another way, and is nobody's beside a certificate.
	d.rule().All[1] = entry.Clause{Kind: "travel", Issuers: []string{"telecom"}, Level: []string{"green"}}
	d.shows(eva, entry.ReasonSecondPassNeeded)
	d.shows(d.telecom.Pass(credential.Claims{Kind: "travel", Level: "green", Holder: holder("eva")}), entry.ReasonDifferentHolder)
}
