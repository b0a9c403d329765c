// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build nosync

package device

// syncing is false in this build, which forgets in a power cut what it acknowledged. It exists so that the virtual bench
// can show that it would notice; no other build has the tag.
const syncing = false
