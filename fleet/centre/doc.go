// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package centre is a fleet's own side of the network: it publishes the signed documents of a folder, keeps the heads
// young, hands out the blocks of revocation lists, and has the events of kiosks collected.
//
// The broker between is trusted with nothing: what goes down is signed, what comes up is signed or taken for a hint. The
// package deliberately signs nothing itself but what the folder and the collector sign.
package centre
