// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package syncer joins a kiosk to its fleet over MQTT 3.1.1: signed documents come in, recorded events go out, and neither
// waits for the other. It is a guest on the network: a kiosk without it does everything but learn and report.
//
//   - One connection at a time, each by a fresh client, kept by a loop of our own with full jitter (link.go).
//   - Whatever arrives is a claim. Documents go to the one door through which documents go (documents.go), blocks of a blob
//     are held to the digests that a verified manifest names (blobs.go), orders and receipts to the root (orders.go,
//     outbox.go).
//   - Nothing is forgotten for a finished token or a PUBACK: only the collector's signed receipt counts.
//
// The package deliberately decides nothing, stores nothing and has no clock but for pauses: what it brings goes to the
// interfaces below, and device joins these to the stores.
package syncer
