// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"os"

	"gatehouse/entry"
)

// InspectTrust verifies the trust store at path as OpenTrust does and changes nothing: neither is a missing one made nor
// a damaged one set aside. It returns the terms in force, or ErrNoBelief.
//
// fs.ErrNotExist, ErrInUse (a daemon runs: ask that), ErrNewerSchema, ErrOlderSchema and ErrDamaged tell how the file is.
func InspectTrust(path string, o TrustOptions) (*entry.Terms, error) {
	f, err := inspectFile(path, kindTrust)
	if err != nil {
		return nil, err
	}
	defer f.close()
	t := newTrust(f, o)
	if err := t.load(); err != nil {
		return nil, err
	}
	if err := t.verifyBases(); err != nil {
		return nil, err
	}
	b := t.current.Load()
	if b == nil {
		return nil, ErrNoBelief
	}
	return b.terms, nil
}

// InspectLedger follows the chain of the ledger at path and holds it to what a floor keeps of it (zero: nothing), and
// changes nothing. It returns the number of the last event. The errors are those of InspectTrust and ErrChain.
func InspectLedger(ctx context.Context, path string, kept Kept) (last uint64, err error) {
	f, err := inspectFile(path, kindLedger)
	if err != nil {
		return 0, err
	}
	defer f.close()
	l := &Ledger{file: f}
	if err := l.check(); err != nil {
		return 0, err
	}
	if kept.ID != "" {
		if err := l.Holds(kept); err != nil {
			return 0, err
		}
	}
	chain, err := l.CheckChain(ctx)
	return chain.Last, err
}

// inspectFile opens a database for reading alone. Others may read it meanwhile; one who writes makes it ErrInUse.
func inspectFile(path string, k kind) (*file, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, explain(path, k, err)
	}
	f := &file{path: path, kind: k, readOnly: true}
	if err := f.open(0, false); err != nil {
		f.release()
		return nil, explain(path, k, err)
	}
	err := explain(path, k, f.checkFile())
	if err == nil {
		err = f.checkCurrent()
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}
