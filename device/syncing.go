// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build !nosync

package device

// syncing: what is acknowledged is on the disk. See nosync.go for the one build in which it is not.
const syncing = true
