// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package mosquitto runs Debian's broker on loopback for tests, with the configuration that a fleet's folder writes: TLS, a
// certificate for each client and an access list. It deliberately changes nothing of that but the user that it runs as.
package mosquitto
