// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// api is the local API: HTTP over two unix sockets, guarded by the mode of each.
type api struct {
	kiosk           *kiosk
	status, control *socket
	importing       chan struct{} // holds the one import under way

	mu     sync.Mutex
	faults map[string]error // of the sockets, by path
}

func (k *kiosk) listen() (*api, error) {
	status, err := newSocket(filepath.Join(k.cfg.Run, client.StatusSocket), statusMode)
	if err != nil {
		return nil, err
	}
	control, err := newSocket(filepath.Join(k.cfg.Run, client.ControlSocket), controlMode)
	if err != nil {
		return nil, errors.Join(err, status.close())
	}
	return &api{kiosk: k, status: status, control: control, importing: make(chan struct{}, 1), faults: map[string]error{}}, nil
}

// serve answers until ctx ends.
func (a *api) serve(ctx context.Context) error {
	read, act := http.NewServeMux(), http.NewServeMux()
	read.HandleFunc("GET /v1/status", a.getStatus)
	read.HandleFunc("GET /v1/ledger/check", a.withStores(a.getLedgerCheck))
	read.HandleFunc("GET /v1/events", a.withStores(a.getEvents))
	read.HandleFunc("POST /v1/explain", a.withStores(a.discreet(a.postExplain)))
	read.HandleFunc("GET /v1/trust", a.withStores(a.getTrust))
	read.HandleFunc("POST /v1/revoked", a.withStores(a.discreet(a.postRevoked)))
	read.HandleFunc("GET /v1/lines", a.getLines)
	read.HandleFunc("GET /v1/tap", a.getTap)
	act.HandleFunc("POST /v1/import", a.withStores(a.postImport))
	act.HandleFunc("POST /v1/ledger/accept-loss", a.withStores(a.postAcceptLoss))
	act.HandleFunc("POST /v1/tap", a.withStores(a.postTap))
	act.HandleFunc("POST /v1/lanes/{lane}/open", a.withStores(a.obeyed(func(ctx context.Context, l *lane, by, why string) (uint64, error) { return l.order(ctx, by, why) })))
	act.HandleFunc("POST /v1/lanes/{lane}/close", a.withStores(a.postClosing(entry.EventClosed)))
	act.HandleFunc("POST /v1/lanes/{lane}/release", a.withStores(a.postClosing(entry.EventReleased)))
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range []struct {
		socket *socket
		mux    *http.ServeMux
	}{{a.status, read}, {a.control, act}} {
		server := &http.Server{Handler: s.mux, ReadHeaderTimeout: idleMost, ReadTimeout: requestMost, WriteTimeout: answerMost, IdleTimeout: idleMost,
			BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: withCaller}
		group.Go(func() error {
			s.socket.keep(ctx, server, func(err error) { a.report(s.socket.path, err) })
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswer)
			defer cancel()
			if server.Shutdown(last) == nil {
				return nil
			}
			return server.Close()
		})
	}
	return group.Wait()
}

// withStores answers only while the stores are open.
func (a *api) withStores(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.kiosk.isOpen() {
			reply(w, http.StatusServiceUnavailable, client.Failure{Error: "device: the stores of this kiosk are not open; see gatehouse status"})
			return
		}
		h(w, r)
	}
}

// report tells what is wrong with the sockets.
func (a *api) report(path string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults[path] = err
	a.kiosk.health.set(condition.LocalAPI, errors.Join(a.faults[a.status.path], a.faults[a.control.path]))
	if err == nil {
		a.kiosk.log.Warn("socket made again", "socket", path)
	}
}

func (a *api) getStatus(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.kiosk.status())
}

func (a *api) getLedgerCheck(w http.ResponseWriter, r *http.Request) {
	chain, err := a.kiosk.ledger.CheckChain(r.Context())
	if err != nil {
		reply(w, http.StatusConflict, client.Failure{Error: err.Error()})
		return
	}
	reply(w, http.StatusOK, client.Chain{First: chain.First, Last: chain.Last, Link: hex.EncodeToString(chain.Link[:])})
}

func (a *api) postImport(w http.ResponseWriter, r *http.Request) {
	changed, err := a.importBody(w, r)
	if err != nil {
		reply(w, http.StatusUnprocessableEntity, client.Failure{Error: err.Error()})
		return
	}
	reply(w, http.StatusOK, client.Imported{Changed: changed})
}

// importBody imports what is sent. One bundle at a time is in memory.
func (a *api) importBody(w http.ResponseWriter, r *http.Request) ([]string, error) {
	select {
	case a.importing <- struct{}{}:
		defer func() { <-a.importing }()
	case <-r.Context().Done():
		return nil, fmt.Errorf("device: nothing was imported: %w", r.Context().Err())
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(requestMost)); err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	return a.kiosk.importBundle(r.Context(), r.Body, r.ContentLength)
}

func (a *api) postAcceptLoss(w http.ResponseWriter, r *http.Request) {
	if err := a.kiosk.acceptLoss(r.Context()); err != nil {
		reply(w, http.StatusConflict, client.Failure{Error: err.Error()})
		return
	}
	reply(w, http.StatusOK, struct{}{})
}

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a caller that went away cannot be told
}

// importBundle takes signed documents, size bytes of them, through the one door. Belief that changed may change an
// answer, so a code that is held in front is read again.
func (k *kiosk) importBundle(ctx context.Context, r io.Reader, size int64) ([]string, error) {
	if size > largeBundle {
		defer debug.FreeOSMemory()
	}
	bundle, err := readBundle(r, size)
	if err != nil {
		return nil, err
	}
	changed, err := k.trust.Apply(ctx, bundle, k.time.at())
	if err != nil {
		k.log.Warn("documents refused", "error", err)
		return nil, err
	}
	if len(changed) == 0 {
		return changed, nil
	}
	k.inForce(ctx, changed)
	return changed, nil
}

// largeBundle is from how many bytes on a bundle's memory is given back at once: it is more than all else that a kiosk
// needs.
const largeBundle = 1 << 20

// readBundle reads a bundle of a size that is known, so that its bytes are in memory once: a buffer that grows takes
// three times as much.
func readBundle(r io.Reader, size int64) (*fleet.Bundle, error) {
	switch {
	case size < 0:
		return nil, errors.New("device: the size of the bundle is not told; send Content-Length")
	case size > client.MaxBundle:
		return nil, fmt.Errorf("device: %d bytes are no bundle; at most %d MiB are read", size, client.MaxBundle>>20)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("device: the bundle was not read: %w", err)
	}
	return fleet.DecodeBundle(data)
}

// status is the kiosk now.
func (k *kiosk) status() client.Status {
	s := client.Status{Venue: k.cfg.Venue, Kiosk: k.cfg.Kiosk, Version: Version(), Started: k.started,
		Data: client.Data{Freshness: "none", Documents: []client.Document{}}}
	if k.isOpen() {
		k.observe()
		last, _ := k.ledger.Last() // what is wrong with it was observed
		s.Data, s.Clock = k.data(), clockOf(k.time.moment())
		s.Ledger = client.Ledger{ID: k.ledger.ID(), Events: last, Commits: k.ledger.Commits(), Received: k.ledger.Receipt().Seq}
	}
	s.Conditions = k.health.conditions()
	for _, l := range k.lanes {
		lane := l.status()
		s.Lanes = append(s.Lanes, lane)
		if l.serving.Load() && lane.Closed == nil && (s.Data.Freshness == "fresh" || s.Data.Freshness == "stale") {
			s.Ready = true
		}
	}
	return s
}

func clockOf(now entry.Moment) client.Clock {
	c := client.Clock{At: now.At, State: string(now.Clock)}
	if now.Clock == entry.ClockSynced {
		c.SyncedAt = now.At.Add(-now.SyncedAgo)
	}
	return c
}

func documentOf(t *entry.Terms, v entry.Version, now entry.Moment) client.Document {
	d := client.Document{Kind: v.Kind, Scope: v.Scope, Version: v.Version}
	if bands, older := t.Lists[fleet.Kind(v.Kind).Issuer()]; older {
		d.Freshness = string(bands.Freshness(now))
	}
	return d
}

// data is what the kiosk believes now.
func (k *kiosk) data() client.Data {
	d := client.Data{Freshness: "none", Documents: []client.Document{}}
	belief, err := k.trust.Belief()
	if err != nil {
		return d
	}
	t, now := belief.Terms(), k.time.moment()
	d.Signed, d.FreshUntil, d.HardAfter, d.Incomplete = t.Signed, t.FreshUntil, t.HardAfter, t.Incomplete
	d.Freshness = string(t.Freshness(now))
	for _, v := range t.Versions {
		d.Documents = append(d.Documents, documentOf(t, v, now))
	}
	d.Down, d.Emergency = downOf(t), measuresOf(t, now)
	return d
}
