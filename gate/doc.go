// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package gate moves one lane: a relay that lets people through, a green and a red lamp.
//
// A [Gate] opens for nothing but an [entry.Grant], which it spends right before it drives the relay.
// One loop owns the lines and everybody else sends it messages; a watch beside it brings the relay
// to rest when the loop makes no progress. These hold at any time:
//
//   - No grant, no movement: a grant that is nil, zero, spent, late or for another lane moves nothing.
//   - A pulse ends, however it ends: its time, its context, the end of Run, a panic, a lamp that hangs.
//     No line is active for longer than [MaxActive].
//   - After any error of the relay its inert level is driven until the driver takes it; until then
//     nobody is admitted. A failing lamp is reported, and keeps the relay neither from opening nor
//     from closing.
//
// What no program can do is to interrupt a driver that hangs in the relay's own call: the watch then
// tries the same line by a second call, reports [ErrStuck] and stops calling Config.Alive, so that
// the system's watchdog ends the process and its successor drives the inert level. Fire release and
// a limit of the pulse in the hardware are wired, never left to a program.
//
// Where a passage [Sensor] is wired an admission ends when somebody went through or the time is over. What the sensor says
// gives a use back, so it is doubted early: whenever it fails, sticks or has been silent for several guests, nobody knows
// who went through.
//
// The package knows logical levels only. Pins, polarity and permissions are in gate/gpio; a
// simulated board for tests is in gate/gatetest.
package gate
