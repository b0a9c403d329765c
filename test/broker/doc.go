// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package broker runs kiosks, collectors and operators against brokers as venues run them: Debian's Mosquitto with the
// configuration that gatehouse-fleet writes, TLS, a certificate for each client and an access list.
package broker
