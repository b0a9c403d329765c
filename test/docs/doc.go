// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package docs holds what is written under docs/ to the code: the test vectors of the Gatehouse pass are made here, and
// excerpts, names of tests, links and anchors must be what they say. It has no code of its own.
package docs

//go:generate env UPDATE=1 go test -count=1 -run ^TestVectors gatehouse/test/docs
