// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/fleet"
)

//go:embed mosquitto.conf.tmpl
var mosquittoTemplate string

// Mosquitto writes the configuration of a Mosquitto broker (2.0 or newer) into a folder: mosquitto.conf, the access list
// and the broker's certificate. hosts are the names and addresses by which kiosks reach it. Each kiosk of the folder gets
// its certificate where it has none yet, and its own lines in the access list: with the certificate of one nobody can read
// or write the topics of another.
func (f *Folder) Mosquitto(dir string, port int, at time.Time, hosts ...string) error {
	if len(hosts) == 0 {
		return fmt.Errorf("%w: a broker needs a host name or address by which kiosks reach it", ErrConfig)
	}
	kiosks, err := f.Kiosks()
	if err != nil {
		return err
	}
	for _, p := range kiosks {
		if !exists(f.path("kiosks", p.Venue, p.Kiosk, "kiosk.pem")) {
			if err := f.CertifyKiosk(p, at); err != nil {
				return err
			}
		}
	}
	certificate, key, err := f.CertifyBroker(at, hosts...)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	for name, from := range map[string]string{"ca.pem": f.AuthorityPath(), "broker.pem": certificate} {
		text, err := readFile(from)
		if err != nil {
			return err
		}
		if err := WriteFile(filepath.Join(dir, name), text, readable); err != nil {
			return err
		}
	}
	secret, err := readPrivate(key)
	if err != nil {
		return err
	}
	if err := WriteFile(filepath.Join(dir, "broker.key"), secret, private); err != nil {
		return err
	}
	if err := WriteFile(filepath.Join(dir, "access"), []byte(accessList(kiosks)), private); err != nil {
		return err
	}
	text := strings.NewReplacer("DIR", dir, "PORT", fmt.Sprint(port)).Replace(mosquittoTemplate)
	return WriteFile(filepath.Join(dir, "mosquitto.conf"), []byte(text), readable)
}

// accessList says who may read and write what: what goes down is the office's to write and the kiosk's to read, what goes
// up the reverse.
func accessList(kiosks []fleet.Place) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Who may read and write which topics. A user is the common name of a client's certificate.\n")
	fmt.Fprintf(&b, "user %s\ntopic write gatehouse/v1/+/down/#\ntopic write gatehouse/v1/+/+/down/#\ntopic read gatehouse/v1/#\n", OfficeName)
	for _, p := range kiosks {
		own := "gatehouse/v1/" + p.String()
		fmt.Fprintf(&b, "\nuser %s\n", p)
		for _, topic := range []string{"gatehouse/v1/all/down/#", "gatehouse/v1/" + p.Venue + "/all/down/#", own + "/down/#", own + "/up/status"} {
			fmt.Fprintf(&b, "topic read %s\n", topic)
		}
		fmt.Fprintf(&b, "topic write %s/up/#\n", own)
	}
	return b.String()
}
