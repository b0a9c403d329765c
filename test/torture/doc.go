// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package torture kills a kiosk again and again while passes are scanned, and holds what it remembers to what its gates
// did.
//
// The kiosk is this package's test binary, started again as a child: device.Run with the scanners and the board of the
// parent, who outlives it and sees every edge. Most kills come at random instants, some are placed between two steps of
// an admission. kill -9 leaves the page cache whole: a missing fsync is found by the virtual bench, not here.
//
// A second test puts a fleet around the kiosk: Debian's Mosquitto with the configuration that gatehouse-fleet writes, and
// gatehouse-fleet serve. Broker, centre and kiosk die in turn, while passes are scanned, others revoked and orders given. Each
// time that everything has settled the collector has every event that was ever durable in the ledger, each once, in one chain.
package torture
