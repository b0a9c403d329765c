// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func newVerify() *cobra.Command {
	var trustFile, at string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check codes from standard input, one JSON object a line",
		Long: `Verify reads NDJSON on standard input and writes one line of NDJSON for each line, in order.

Each line is an object with these members:

  id       any text or number; it comes back with the answer
  code     the text of the code, or an array of the texts of its parts
  at       the time of the check, RFC 3339; absent: --at, or else now
  trust    a list of trusted keys; absent: those of --trust. Each has an issuer and
           x509 (base64 DER certificate), jwk (JSON Web Key) or spki (base64 DER public key)
  revoked  a list of revoked ids, written as the format names them

The answer has id, outcome (valid or invalid), reason, format, issuer and kid (hex). A line that
is no such object, an empty line and a line of more than 8 MiB are answered invalid and malformed. A
trusted key that cannot be used is skipped and named on standard error; the line is answered by
what remains. The exit status is 0 when every line was answered.`,
		Example: `  gatehouse verify <cases.ndjson
  gatehouse verify --trust trust.json --at 2021-10-10T18:00:00Z <codes.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := newBatch(trustFile, at, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return b.run(cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&trustFile, "trust", "", "JSON `file` with the list of trusted keys for lines that have none")
	cmd.Flags().StringVar(&at, "at", "", "`time` of the check for lines that have none, such as 2021-10-10T18:00:00Z")
	return cmd
}

func newBatch(trustFile, at string, diagnostics io.Writer) (*batch, error) {
	b := &batch{now: time.Now, diagnostics: diagnostics, lists: map[string]*trustList{}}
	if at != "" {
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return nil, fmt.Errorf("--at %q is not a time; write it as 2021-10-10T18:00:00Z", at)
		}
		b.now = func() time.Time { return t }
	}
	b.trust = &trustList{}
	if trustFile == "" {
		return b, nil
	}
	text, err := os.ReadFile(trustFile)
	if err != nil {
		return nil, fmt.Errorf("--trust: %w", err)
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("--trust %s is not JSON; `gatehouse verify --help` says what it holds", trustFile)
	}
	var faults []string
	if b.trust, faults, err = parseTrust(text); err != nil {
		return nil, fmt.Errorf("--trust %s: %w; `gatehouse verify --help` says what it holds", trustFile, err)
	}
	for _, f := range faults {
		fmt.Fprintf(diagnostics, "gatehouse: %s: %s\n", trustFile, f)
	}
	return b, nil
}

// maxLine bounds a line of input, its end included. With a whole continent's certificates as its trust list a
// line has 1.3 MB.
const maxLine = 8 << 20

// run answers every line. Answers are flushed before each wait for more input, so that a program at
// the other end of two pipes can ask line by line.
func (b *batch) run(in io.Reader, out io.Writer) error {
	w := bufio.NewWriter(out)
	r := bufio.NewReaderSize(flushBeforeRead{in, w}, 64<<10)
	answers := json.NewEncoder(w)
	answers.SetEscapeHTML(false)
	var line []byte
	for number := 1; ; number++ {
		var err error
		line, err = readLine(r, line[:0])
		if err == io.EOF {
			return w.Flush()
		}
		if err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
		if err := answers.Encode(b.answer(number, line)); err != nil {
			return fmt.Errorf("writing the answer to line %d: %w", number, err)
		}
	}
}

// flushBeforeRead sends what was written before it waits for what comes next.
type flushBeforeRead struct {
	in  io.Reader
	out *bufio.Writer
}

func (f flushBeforeRead) Read(p []byte) (int, error) {
	if err := f.out.Flush(); err != nil {
		return 0, fmt.Errorf("answers cannot be written: %w", err)
	}
	return f.in.Read(p)
}

// readLine appends the next line to buf, without its end. A line that is too long is read to its end
// and returned empty, which is as little JSON as what it held. The error is io.EOF after the last line.
func readLine(r *bufio.Reader, buf []byte) ([]byte, error) {
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		if tooLong = tooLong || len(buf)+len(part) > maxLine; !tooLong {
			buf = append(buf, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && (len(buf) > 0 || tooLong):
			err = nil
		}
		if tooLong {
			buf = buf[:0]
		}
		return buf, err
	}
}
