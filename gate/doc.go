// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package gate moves one lane: a relay that lets people through, a green and a red lamp.
//
// A [Gate] lets nobody in but for an [entry.Grant], which it spends right before it drives the relay. It lets people out
// whatever the software thinks: the contacts [Exit] and [Fire] open it without a grant, and nothing else does.
// One loop owns the lines and everybody else sends it messages; a watch beside it brings the relay
// to rest when the loop makes no progress. These hold at any time:
//
//   - No grant, no way in: a grant that is nil, zero, spent, late or for another lane moves nothing.
//   - A request to exit opens at once, in any state but a fire. A contact that fails or sticks keeps nobody in: one that
//     stays active asks again and again.
//   - During a fire alarm the relay is at Config.OnFire; nothing closes it, not the end of Run either, and nobody is admitted.
//   - A pulse ends, however it ends: its time, its context, the end of Run, a panic, a lamp that hangs.
//     No line is active for longer than [MaxActive], but by its inert level and by a fire.
//   - After any error of the relay its inert level is driven until the driver takes it; until then
//     nobody is admitted. A failing lamp is reported, and keeps the relay neither from opening nor
//     from closing.
//
// What no program can do is to interrupt a driver that hangs in the relay's own call: the watch then
// tries the same line by a second call, reports [ErrStuck] and stops calling Config.Alive, so that
// the system's watchdog ends the process and its successor drives the inert level. Fire release and
// a limit of the pulse in the hardware are wired, never left to a program.
//
// Where the contact [Passage] is wired an admission ends when somebody went through or the time is over. What the sensor says
// gives a use back, so it is doubted early: whenever it fails, sticks or has been silent for several guests, nobody knows
// who went through.
//
// The package knows logical levels only. Pins, polarity and permissions are in gate/gpio; a
// simulated board for tests is in gate/gatetest.
package gate
