// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"path/filepath"
	"time"
)

// What to do about a certificate that ends soon. The office's is none of them: it is made anew with each command.
const (
	renewAuthority = "remove it and every kiosk.pem, run gatehouse-fleet broker-config mosquitto DIR, and carry kiosk.pem and broker-ca.pem to the kiosks"
	renewBroker    = "run gatehouse-fleet broker-config mosquitto DIR, and restart the broker"
	renewKiosk     = "remove it, run gatehouse-fleet broker-config mosquitto DIR, and carry the new one to the kiosk"
)

func (i *inspection) certificates() {
	i.certificate(i.AuthorityPath(), renewAuthority)
	i.certificate(i.certificatePath("broker"), renewBroker)
	kiosks, err := i.Kiosks()
	if err != nil {
		return // told where the kiosks are looked at
	}
	for _, p := range kiosks {
		path := filepath.Join(i.path("kiosks", p.Venue, p.Kiosk), "kiosk.pem")
		if _, err := i.Broker(); err == nil && !exists(path) {
			i.warn(path, "it is missing, so the kiosk cannot join; run gatehouse-fleet broker-config mosquitto DIR, and carry it to the kiosk with kiosk.key and broker-ca.pem")
			continue
		}
		i.certificate(path, renewKiosk)
	}
}

func (i *inspection) certificate(path, renew string) {
	if !exists(path) {
		return // bundles need none
	}
	cert, err := readCertificate(path)
	switch {
	case err != nil:
		i.note(path, err)
	case cert.NotAfter.Before(i.at):
		i.warn(path, "it ended %s; %s", cert.NotAfter.Format(time.DateOnly), renew)
	case cert.NotAfter.Sub(i.at) < soon:
		i.warn(path, "it ends %s; %s", cert.NotAfter.Format(time.DateOnly), renew)
	}
}
