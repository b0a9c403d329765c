// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

// Waiting is how many passes are held in memory for a second one.
func Waiting(d *Decider) int {
	d.waiting.mu.Lock()
	defer d.waiting.mu.Unlock()
	return len(d.waiting.lanes)
}
