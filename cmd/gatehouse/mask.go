// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"regexp"
	"strings"
)

// codes are those of passes, as texts begin with them. Base45 has spaces (RFC 9285): what follows a code in capitals goes
// with it.
var codes = regexp.MustCompile(`(?:GH1|HC1):[0-9A-Z $%*+./:-]*[0-9A-Z$%*+./:-]|(?i:shc):[^\s"]*`)

// secrets is what else may not leave in a support bundle, wherever it stands: long hexadecimal numbers (ids, keys, whole
// hashes; the digest of a public document is none), and long runs of base64.
var secrets = regexp.MustCompile(`(?:sha256:)?[0-9a-fA-F]{32,}|[A-Za-z0-9+/_=.-]*[A-Za-z0-9+/_=-]{60,}`)

// mask leaves enough of a secret to tell two apart, and too little to use it.
func mask(text []byte) []byte {
	return secrets.ReplaceAllFunc(codes.ReplaceAllFunc(text, masked), masked)
}

func masked(found []byte) []byte {
	switch {
	case bytes.HasPrefix(found, []byte("sha256:")):
		return found
	case bytes.ContainsRune(found[:4], ':'):
		return append(found[:4:4], "…masked"...)
	}
	return append(found[:8:8], "…masked"...)
}

// secretName is how a key of a config is called whose value nobody else may know. venue_key and root are a path and the
// digest of a public document.
var secretName = regexp.MustCompile(`(?i)(password|passwd|secret|token|private|credential)[a-z_]*["']?\s*:`)

// maskConfig takes out comments, in which people write anything, and the lines of secrets.
func maskConfig(text []byte) []byte {
	var out bytes.Buffer
	for line := range strings.Lines(string(text)) {
		if at := strings.Index(" "+line, " #"); at >= 0 {
			line = strings.TrimRight(line[:at], " \t") + "\n"
		}
		if at := secretName.FindStringIndex(line); at != nil {
			line = line[:at[1]] + " masked\n"
		}
		if strings.TrimSpace(line) != "" {
			out.WriteString(line)
		}
	}
	return out.Bytes()
}
