// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package gatetest is a simulated board of relays, lamps and contacts that outlives the kiosk that drives it.
//
// A [Board] keeps the level of every output of every lane and a record of each change. It is
// reached in the same process by [Board.Lines], or over a unix socket by [Dial]: then it lives in the
// process that watches, and the kiosk can be killed at any instant, as on a real board. It can be
// told to fail the ways that boards fail: nothing moved, moved and yet failed, hanging.
//
// It deliberately knows nothing of pins, polarity and ownership: those are the business of gate/gpio and of the virtual bench.
// It is for tests and demonstrations; no production program links it.
package gatetest
