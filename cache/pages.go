// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Pages of bbolt's file format, version 2. A page begins with its number (8), kind (2), count of elements (2) and how many
// pages follow that belong to it (4). An element of 16 bytes ends, in a branch, with the number of the page below; in a
// leaf it is flags, offset of the key from the element, and the sizes of key and value, 4 each.
const (
	pageHeader   = 16
	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageFreelist = 0x10
	element      = 16
	leafBucket   = 1      // flag of an element whose value is a bucket: root page (8), sequence (8)
	manyFree     = 0xFFFF // count of a list of free pages that has its length in the first 8 bytes
)

// checkPages sees that no page is in use twice, or in use and in the list of free ones. bbolt guards that list by no
// checksum, and would write over what a damaged one names. It reads the file, not the map, and of the leaves only what
// it must.
func (f *file) checkPages() error {
	var root, list, size, newest uint64
	for n := range int64(2) {
		var meta [metaSummed]byte
		if _, err := f.fd.ReadAt(meta[:], n*pageSize+metaOffset); err != nil {
			return fmt.Errorf("meta page %d: %w", n, err)
		}
		if tx := binary.LittleEndian.Uint64(meta[48:]); n == 0 || tx > newest {
			newest, root = tx, binary.LittleEndian.Uint64(meta[16:])
			list, size = binary.LittleEndian.Uint64(meta[32:]), binary.LittleEndian.Uint64(meta[40:])
		}
	}
	for _, exact := range []bool{false, true} {
		w := &pageWalk{file: f, exact: exact, taken: make([]bool, size)}
		if err := errors.Join(w.take(0, 0), w.take(1, 0), w.free(list), w.tree(root, true)); err != nil {
			return f.damaged(err)
		}
		if !slices.Contains(w.taken, false) {
			return nil // all are accounted for; else some leaf has pages that follow it
		}
	}
	return nil
}

// pageWalk is a walk over all pages.
type pageWalk struct {
	file  *file
	exact bool // look at each leaf for pages that follow it
	taken []bool
}

func (w *pageWalk) take(id, following uint64) error {
	for ; ; id++ {
		if id >= uint64(len(w.taken)) {
			return fmt.Errorf("page %d is beyond the end", id)
		}
		if w.taken[id] {
			return fmt.Errorf("page %d is used twice", id)
		}
		w.taken[id] = true
		if following--; following == ^uint64(0) {
			return nil
		}
	}
}

// read takes a page with those that follow it.
func (w *pageWalk) read(id uint64) (page []byte, kind uint16, count int, err error) {
	page = make([]byte, pageSize)
	if _, err := w.file.fd.ReadAt(page, int64(id)*pageSize); err != nil {
		return nil, 0, 0, err
	}
	following := uint64(binary.LittleEndian.Uint32(page[12:]))
	if err := w.take(id, following); err != nil {
		return nil, 0, 0, err
	}
	if following > 0 {
		page = make([]byte, (following+1)*pageSize)
		if _, err := w.file.fd.ReadAt(page, int64(id)*pageSize); err != nil {
			return nil, 0, 0, err
		}
	}
	return page, binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:])), nil
}

func (w *pageWalk) free(id uint64) error {
	page, kind, count, err := w.read(id)
	if err != nil || kind != pageFreelist {
		return errors.Join(fmt.Errorf("page %d is no list of free pages", id), err)
	}
	ids := page[pageHeader:]
	if count == manyFree {
		count, ids = int(min(binary.LittleEndian.Uint64(ids), uint64(len(page)))), ids[8:]
	}
	if count > len(ids)/8 {
		return errors.New("the list of free pages is too long")
	}
	for i := range count {
		if err := w.take(binary.LittleEndian.Uint64(ids[8*i:]), 0); err != nil {
			return fmt.Errorf("the list of free pages: %w", err)
		}
	}
	return nil
}

// tree walks the pages from a root down. The leaves of the top tree hold the buckets.
func (w *pageWalk) tree(id uint64, top bool) error {
	page, kind, count, err := w.read(id)
	if err != nil {
		return err
	}
	if pageHeader+count*element > len(page) {
		return fmt.Errorf("page %d has too many elements", id)
	}
	switch kind {
	case pageBranch:
		return w.branch(page, count, top)
	case pageLeaf:
		if top {
			return w.buckets(page, count)
		}
		return nil
	}
	return fmt.Errorf("page %d is of no kind that a tree has", id)
}

// branch goes on below. All leaves are at one depth: where the first child is a leaf the others are only taken.
func (w *pageWalk) branch(page []byte, count int, top bool) error {
	leaves := false
	for i := range count {
		child := binary.LittleEndian.Uint64(page[pageHeader+i*element+8:])
		if i == 0 && !top && !w.exact {
			var head [pageHeader]byte
			if _, err := w.file.fd.ReadAt(head[:], int64(min(child, 1<<40))*pageSize); err != nil {
				return err
			}
			leaves = binary.LittleEndian.Uint16(head[8:]) == pageLeaf
		}
		var err error
		if leaves {
			err = w.take(child, 0)
		} else {
			err = w.tree(child, top)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *pageWalk) buckets(page []byte, count int) error {
	for i := range count {
		at := pageHeader + i*element
		e := page[at:]
		if binary.LittleEndian.Uint32(e)&leafBucket == 0 {
			continue
		}
		value := at + int(binary.LittleEndian.Uint32(e[4:])) + int(binary.LittleEndian.Uint32(e[8:]))
		if value < 0 || value+8 > len(page) {
			return errors.New("a bucket is out of its page")
		}
		if root := binary.LittleEndian.Uint64(page[value:]); root != 0 {
			if err := w.tree(root, false); err != nil {
				return err
			}
		}
	}
	return nil
}
