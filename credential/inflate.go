// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib" // as the standard library's, in less than half the time
)

// maxInflated bounds what a code may inflate to. The largest real certificates are below 4 KiB.
const maxInflated = 256 << 10

var (
	errInflate  = errors.New("not a zlib stream")
	errTooLarge = errors.New("inflates to more than 256 KiB")
	errTrailing = errors.New("bytes after the end")
)

// inflaters keeps zlib readers, whose 40 KB of tables cost more to make than a code to inflate. A
// reader holds nothing of a code's text that a later user could see: Reset comes first.
var inflaters = sync.Pool{New: func() any { return new(inflater) }}

type inflater struct {
	src bytes.Reader
	z   io.ReadCloser
}

// inflate decompresses a zlib stream (RFC 1950) that ends exactly where b ends.
func inflate(b []byte) ([]byte, error) {
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	f.src.Reset(b)
	defer f.src.Reset(nil)
	if err := f.reset(); err != nil {
		return nil, errInflate
	}
	out := make([]byte, 0, len(b)*3/2+128)
	for {
		n, err := f.z.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case len(out) > maxInflated:
			return nil, errTooLarge
		case err == io.EOF && f.src.Len() > 0:
			return nil, errTrailing
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, errInflate
		}
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
	}
}

func (f *inflater) reset() (err error) {
	if f.z == nil {
		f.z, err = zlib.NewReader(&f.src)
		return err
	}
	return f.z.(zlib.Resetter).Reset(&f.src, nil)
}
