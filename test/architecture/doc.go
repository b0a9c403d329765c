// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package architecture holds the plan of the house as tests: which room may import which, who may make a grant, what the
// daemon may link, and how every file begins. It has no code of its own.
package architecture
