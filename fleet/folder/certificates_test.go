// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"bytes"
	"crypto/tls"
	"os"
	"strings"
	"testing"
	"time"
)

// The machine on which serve runs needs no key that could make it any kiosk: the office's certificate is made once, and again in
// its last year.
func TestTheOfficeComesWithoutTheAuthoritysKey(t *testing.T) {
	o := newOperator(t)
	certificate, _, err := o.CertifyOffice(morning)
	check(t, err)
	first, err := os.ReadFile(certificate)
	check(t, err)
	away := o.path("broker", "ca.key") + ".away"
	check(t, os.Rename(o.path("broker", "ca.key"), away))
	for _, at := range []time.Time{morning, morning.AddDate(8, 11, 0)} {
		cfg, err := o.OfficeTLS(at)
		check(t, err)
		if len(cfg.Certificates) != 1 || cfg.MinVersion != tls.VersionTLS13 {
			t.Errorf("%+v", cfg)
		}
	}
	if again, err := os.ReadFile(certificate); err != nil || !bytes.Equal(again, first) {
		t.Errorf("the certificate was made again: %v", err)
	}
	late := morning.AddDate(9, 1, 0)
	if _, err := o.OfficeTLS(late); err == nil || !strings.Contains(err.Error(), "bring broker/ca.key") {
		t.Errorf("in its last year, without the authority's key: %v", err)
	}
	check(t, os.Rename(away, o.path("broker", "ca.key")))
	_, err = o.OfficeTLS(late)
	check(t, err)
	if again, err := os.ReadFile(certificate); err != nil || bytes.Equal(again, first) {
		t.Errorf("the certificate ends, and was not made again: %v", err)
	}

	// One of another authority, or whose key is another, is no certificate of this fleet.
	check(t, os.WriteFile(certificate, first[:0], 0o600))
	_, err = o.OfficeTLS(late)
	check(t, err)
	other := newOperator(t)
	_, key, err := other.CertifyOffice(morning)
	check(t, err)
	foreign, err := os.ReadFile(key)
	check(t, err)
	check(t, os.WriteFile(o.path("broker", "office.key"), foreign, 0o600))
	_, err = o.OfficeTLS(late)
	check(t, err)
}
