// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package collector is where the events of a fleet's kiosks end up: it takes the batches that kiosks sign, keeps each event
// once, and answers with receipts that let the kiosks forget.
//
// What is signed is kept, whatever it says: an event that contradicts another is kept beside it, one of a form that is not
// known yet is kept as it came, and both are acknowledged, so that no event can block a gate. What is not signed by its
// kiosk is dropped and never acknowledged. Gaps, broken chains and contradictions raise alarms.
//
// The package deliberately knows no transport: batches come in and receipts go out as bytes. It decides about no pass.
package collector
