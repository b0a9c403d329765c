// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet/centre"
	"gatehouse/fleet/folder"
)

// defaultPort is that of MQTT over TLS, as IANA has it.
const defaultPort = 8883

func newBrokerConfig(o *options) *cobra.Command {
	var hosts []string
	var port int
	mosquitto := &cobra.Command{
		Use:   "mosquitto DIR",
		Short: "Write the configuration of a Mosquitto broker: listener, certificate and access list",
		Long: `Write into a folder what a Mosquitto (2.0 or newer) needs to serve this fleet: its
configuration, its certificate and the access list, TLS 1.3 with a certificate for
each client. Kiosks that have no certificate yet get theirs, beside their local
config. With the certificate of one kiosk nobody can read or write the topics of
another. Run it again when kiosks were added or taken away, and reload the broker
(SIGHUP).

Host and port are those that fleet.yaml names as broker, and --host adds further
names and addresses to the certificate. All certificates are valid for ten years;
that of the broker begins anew each time, and that of a kiosk where its kiosk.pem
was removed. docs/operations.md says how to renew and how to take them away.`,
		Example: `  gatehouse-fleet broker-config mosquitto mosquitto
  gatehouse-fleet broker-config mosquitto /etc/mosquitto/gatehouse --host broker.example --host 192.0.2.7`,
		Args: one("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := o.open()
			if err != nil {
				return err
			}
			named, err := f.Broker()
			if err != nil && !errors.Is(err, folder.ErrNoBroker) {
				return err
			}
			if hosts, port, err = reachedAt(named, hosts, port); err != nil {
				return err
			}
			if err := f.Mosquitto(args[0], port, time.Now(), hosts...); err != nil {
				return err
			}
			brokerWritten(cmd.OutOrStdout(), args[0], os.Geteuid() == 0)
			if named == "" {
				fmt.Fprintf(cmd.OutOrStdout(), "fleet.yaml names no broker yet; add: broker: %s\n", net.JoinHostPort(hosts[0], strconv.Itoa(port)))
			}
			return nil
		},
	}
	mosquitto.Flags().StringArrayVar(&hosts, "host", nil, "a further `name` or address by which kiosks reach the broker (repeatable)")
	mosquitto.Flags().IntVar(&port, "port", 0, "the `port` that it listens on (default: that of fleet.yaml, or 8883)")
	return group("broker-config", "Write what a broker needs", mosquitto)
}

// reachedAt adds to what was asked for how fleet.yaml names the broker.
func reachedAt(named string, hosts []string, port int) ([]string, int, error) {
	if named == "" && len(hosts) == 0 {
		return nil, 0, errors.New("by which name do kiosks reach the broker? Add --host NAME, or name it in fleet.yaml: broker: broker.example:8883")
	}
	if named != "" {
		host, text, err := net.SplitHostPort(named)
		if err != nil {
			return nil, 0, err
		}
		if !slices.Contains(hosts, host) {
			hosts = append([]string{host}, hosts...)
		}
		if port == 0 {
			if port, err = net.LookupPort("tcp", text); err != nil {
				return nil, 0, err
			}
		}
	}
	if port == 0 {
		port = defaultPort
	}
	return hosts, port, nil
}

func brokerWritten(out io.Writer, dir string, root bool) {
	fmt.Fprintf(out, "Written to %s\n", dir)
	if root {
		fmt.Fprintf(out, "Mosquitto that is started by root reads it as its own user: chown -R mosquitto %s\nThe fleet's folder is closed to it; if that lies in there, move it elsewhere and correct the paths in mosquitto.conf\n", dir)
	}
	fmt.Fprintf(out, "Each kiosk's certificate is beside its local config: kiosk.pem, kiosk.key (mode 0600), broker-ca.pem\nNext: mosquitto -c %s, and then gatehouse-fleet apply\n",
		filepath.Join(dir, "mosquitto.conf"))
}

// brokerAdvice is what to do where the broker is not as it should be; empty for other errors.
func brokerAdvice(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert tls.AlertError
	switch {
	case !errors.Is(err, centre.ErrBroker):
		return ""
	case errors.As(err, &authority):
		return "Its certificate is not of this fleet. Write it anew, and restart the broker: gatehouse-fleet broker-config mosquitto DIR\n"
	case errors.As(err, &name):
		return "Its certificate has not the name by which fleet.yaml calls it. Write it anew, and restart the broker: gatehouse-fleet broker-config mosquitto DIR\n"
	case errors.As(err, &invalid):
		return "Its certificate does not count now: look at the clock of this machine. One that has ended is written anew by: gatehouse-fleet broker-config mosquitto DIR\n"
	case errors.As(err, &alert):
		return "It does not take the certificate of this folder: give it the ca.pem that broker-config wrote last, and restart it\n"
	}
	return "Does it run there, and does fleet.yaml name it rightly? Kiosks decide all the same meanwhile; nothing is lost\n"
}

// spread is the command by which what was edited reaches the kiosks.
func spread(f *folder.Folder) string {
	if _, err := f.Broker(); err == nil {
		return "gatehouse-fleet apply"
	}
	return "gatehouse-fleet bundle --venue VENUE"
}

// spreadHead is the command by which a new head reaches all kiosks.
func spreadHead(f *folder.Folder) string {
	if _, err := f.Broker(); err == nil {
		return "gatehouse-fleet head"
	}
	return "gatehouse-fleet bundle --venue VENUE, for each venue"
}
