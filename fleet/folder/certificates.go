// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"

	"gatehouse/fleet"
)

// certificateYears is how long a certificate is valid: as long as a root. Who must go loses its line in the broker's access
// list; a kiosk without a right clock could not tell an end from a beginning.
const certificateYears = 10

// authorityName is the broker's certificate authority. It says who may talk to the broker, and nothing that a kiosk believes
// rests on it.
const authorityName = "ca"

func (f *Folder) certificatePath(name string) string { return f.path("broker", name+".pem") }

func (f *Folder) certificateKeyPath(name string) string { return f.path("broker", name+".key") }

// AuthorityPath is the file of the authority's certificate, which brokers and kiosks are given.
func (f *Folder) AuthorityPath() string { return f.certificatePath(authorityName) }

// authority reads the certificate authority, and makes it on first use. The folder is locked.
func (f *Folder) authority(at time.Time) (*x509.Certificate, ed25519.PrivateKey, error) {
	if !exists(f.certificatePath(authorityName)) {
		template := newTemplate("Gatehouse broker authority", at)
		template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
		template.KeyUsage = x509.KeyUsageCertSign
		if err := f.certify(f.certificatePath(authorityName), f.certificateKeyPath(authorityName), template, nil, nil); err != nil {
			return nil, nil, err
		}
	}
	cert, err := readCertificate(f.certificatePath(authorityName))
	if err != nil {
		return nil, nil, err
	}
	signer, err := readSigner(f.certificateKeyPath(authorityName))
	if err != nil {
		return nil, nil, fmt.Errorf("%w\nA new certificate needs the key of the fleet's authority: bring broker/ca.key from where broker-config was run", err)
	}
	key, ok := signer.(ed25519.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("folder: %s: not an Ed25519 key", f.certificateKeyPath(authorityName))
	}
	return cert, key, nil
}

func newTemplate(name string, at time.Time) *x509.Certificate {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	serial[0] &= 0x7f
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: at.AddDate(0, 0, -1), NotAfter: at.AddDate(certificateYears, 0, 0), // clocks may disagree by some hours
	}
}

// certify makes a key and its certificate; without a parent it signs itself. A key that a crash left behind is taken.
func (f *Folder) certify(path, keyPath string, template, parent *x509.Certificate, parentKey ed25519.PrivateKey) error {
	if !exists(keyPath) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return fmt.Errorf("folder: %w", err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return fmt.Errorf("folder: %w", err)
		}
		if err := writeNew(keyPath, pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), private); err != nil {
			return err
		}
	}
	signer, err := readSigner(keyPath)
	if err != nil {
		return err
	}
	key, ok := signer.(ed25519.PrivateKey)
	if !ok {
		return fmt.Errorf("folder: %s: not an Ed25519 key", keyPath)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	return WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}), readable)
}

func readCertificate(path string) (*x509.Certificate, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemCertificate {
		return nil, fmt.Errorf("folder: %s holds no PEM block %q", path, pemCertificate)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("folder: %s: %w", path, err)
	}
	return cert, nil
}

// CertifyKiosk makes a kiosk's certificate, whose common name is its place and whose key also signs its records, beside its
// local config.
func (f *Folder) CertifyKiosk(p fleet.Place, at time.Time) error {
	if err := p.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrName, err)
	}
	if !exists(f.path("kiosks", p.Venue, p.Kiosk, "gatehouse.yaml")) {
		return fmt.Errorf("%w: kiosk %s; make it with: gatehouse-fleet kiosk add %s", ErrUnknown, p, p)
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	ca, caKey, err := f.authority(at)
	if err != nil {
		return err
	}
	template := newTemplate(p.String(), at)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if err := f.certify(f.path("kiosks", p.Venue, p.Kiosk, "kiosk.pem"), f.path("kiosks", p.Venue, p.Kiosk, "kiosk.key"), template, ca, caKey); err != nil {
		return err
	}
	text, err := readFile(f.AuthorityPath())
	if err != nil {
		return err
	}
	return WriteFile(f.path("kiosks", p.Venue, p.Kiosk, "broker-ca.pem"), text, readable)
}

// KioskKey is the public key under which a kiosk's records are signed.
func (f *Folder) KioskKey(p fleet.Place) (ed25519.PublicKey, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrName, err)
	}
	cert, err := readCertificate(f.path("kiosks", p.Venue, p.Kiosk, "kiosk.pem"))
	if err != nil {
		return nil, err
	}
	public, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("folder: the certificate of %s is not for an Ed25519 key", p)
	}
	return public, nil
}

// Kiosks are all kiosks of the folder, in order.
func (f *Folder) Kiosks() (places []fleet.Place, err error) {
	venues, err := os.ReadDir(f.path("kiosks"))
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("folder: %w", err)
	}
	for _, v := range venues {
		kiosks, err := os.ReadDir(f.path("kiosks", v.Name()))
		if err != nil {
			return nil, fmt.Errorf("folder: %w", err)
		}
		for _, k := range kiosks {
			if p := (fleet.Place{Venue: v.Name(), Kiosk: k.Name()}); p.Validate() == nil && exists(f.path("kiosks", p.Venue, p.Kiosk, "gatehouse.yaml")) {
				places = append(places, p)
			}
		}
	}
	return places, nil
}

// CertifyBroker makes a broker's certificate for these host names and addresses.
func (f *Folder) CertifyBroker(at time.Time, hosts ...string) (certificate, key string, err error) {
	template := newTemplate("Gatehouse broker", at)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	return f.certifyOther("broker", template, at)
}

// CertifyOffice makes the certificate with which the operator's own services come to the broker, where there is none that is good
// for another year: serve works without the authority's key until then.
func (f *Folder) CertifyOffice(at time.Time) (certificate, key string, err error) {
	if certificate, key = f.certificatePath("office"), f.certificateKeyPath("office"); f.certifies(certificate, key, at, at.AddDate(1, 0, 0)) {
		return certificate, key, nil
	}
	template := newTemplate(OfficeName, at)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return f.certifyOther("office", template, at)
}

// certifies tells whether a certificate is the authority's, is for its key, and is valid over a span of time.
func (f *Folder) certifies(certificate, key string, from, until time.Time) bool {
	ca, err := readCertificate(f.AuthorityPath())
	if err != nil {
		return false
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	return err == nil && pair.Leaf.CheckSignatureFrom(ca) == nil && !pair.Leaf.NotBefore.After(from) && pair.Leaf.NotAfter.After(until)
}

// OfficeTLS is how the operator's own services come to a broker: with the office's certificate, over TLS 1.3, and to a broker of
// the fleet's authority only.
func (f *Folder) OfficeTLS(at time.Time) (*tls.Config, error) {
	certificate, key, err := f.CertifyOffice(at)
	if err != nil {
		return nil, err
	}
	return f.secured(certificate, key)
}

// BrokerTLS is how a broker in the same process serves the fleet at these host names and addresses: with a certificate that is
// made for it, over TLS 1.3, and clients of the fleet's authority only.
func (f *Folder) BrokerTLS(at time.Time, hosts ...string) (*tls.Config, error) {
	certificate, key, err := f.CertifyBroker(at, hosts...)
	if err != nil {
		return nil, err
	}
	cfg, err := f.secured(certificate, key)
	if err != nil {
		return nil, err
	}
	cfg.ClientCAs, cfg.ClientAuth = cfg.RootCAs, tls.RequireAndVerifyClientCert
	return cfg, nil
}

// secured is TLS 1.3 with a certificate of the fleet's authority, and with others that have one.
func (f *Folder) secured(certificate, key string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	ca, err := readCertificate(f.AuthorityPath())
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, Certificates: []tls.Certificate{pair}}, nil
}

// OfficeName is the operator's name at the broker. No kiosk can have it.
const OfficeName = "office"

func (f *Folder) certifyOther(name string, template *x509.Certificate, at time.Time) (certificate, key string, err error) {
	unlock, err := f.lock()
	if err != nil {
		return "", "", err
	}
	defer unlock()
	ca, caKey, err := f.authority(at)
	if err != nil {
		return "", "", err
	}
	certificate, key = f.certificatePath(name), f.certificateKeyPath(name)
	return certificate, key, f.certify(certificate, key, template, ca, caKey)
}

// KeyOf is KioskKey for a collector: nil where no key of the kiosk is known.
func (f *Folder) KeyOf(p fleet.Place) ed25519.PublicKey {
	key, err := f.KioskKey(p)
	if err != nil {
		return nil
	}
	return key
}

// ReadKioskKey reads the key that a kiosk signs its records with.
func ReadKioskKey(path string) (fleet.SigningKey, error) {
	signer, err := readSigner(path)
	if err != nil {
		return fleet.SigningKey{}, err
	}
	return fleet.NewSigningKey(signer)
}
