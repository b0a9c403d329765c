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
	"os"
	"path/filepath"
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
	status, control net.Listener
	importing       chan struct{} // holds the one import under way
}

const (
	statusMode  = 0o660
	controlMode = 0o660
)

func (k *kiosk) listen() (*api, error) {
	if err := os.MkdirAll(k.cfg.Run, 0o755); err != nil {
		return nil, fmt.Errorf("device: run: %w", err)
	}
	status, err := listenUnix(filepath.Join(k.cfg.Run, client.StatusSocket), statusMode)
	if err != nil {
		return nil, err
	}
	control, err := listenUnix(filepath.Join(k.cfg.Run, client.ControlSocket), controlMode)
	if err != nil {
		return nil, errors.Join(err, status.Close())
	}
	return &api{k, status, control, make(chan struct{}, 1)}, nil
}

// listenUnix takes the place of a socket that a killed daemon left. The state folder's lock, taken before, tells that
// no other daemon lives here.
func listenUnix(path string, mode os.FileMode) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("device: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("device: local API: %w; the folder must belong to the user of the service, see: ls -ld %s", err, filepath.Dir(path))
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("device: %w", err), l.Close())
	}
	return l, nil
}

// serve answers until ctx ends.
func (a *api) serve(ctx context.Context) error {
	read, act := http.NewServeMux(), http.NewServeMux()
	read.HandleFunc("GET /v1/status", a.getStatus)
	read.HandleFunc("GET /v1/ledger/check", a.getLedgerCheck)
	act.HandleFunc("POST /v1/import", a.postImport)
	act.HandleFunc("POST /v1/ledger/accept-loss", a.postAcceptLoss)
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range []struct {
		listener net.Listener
		mux      *http.ServeMux
	}{{a.status, read}, {a.control, act}} {
		server := &http.Server{Handler: s.mux, ReadHeaderTimeout: idleMost, ReadTimeout: requestMost, WriteTimeout: answerMost, IdleTimeout: idleMost,
			BaseContext: func(net.Listener) context.Context { return ctx }}
		group.Go(func() error {
			if err := server.Serve(limit(s.listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("device: local API: %w", err)
			}
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

func (a *api) getStatus(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.kiosk.status())
}

func (a *api) getLedgerCheck(w http.ResponseWriter, r *http.Request) {
	last, link, err := a.kiosk.ledger.CheckChain(r.Context())
	if err != nil {
		reply(w, http.StatusConflict, client.Failure{Error: err.Error()})
		return
	}
	reply(w, http.StatusOK, client.Chain{Last: last, Link: hex.EncodeToString(link[:])})
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
	return a.kiosk.importBundle(r.Context(), http.MaxBytesReader(w, r.Body, client.MaxBundle))
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

// importBundle takes signed documents through the one door. Belief that changed may change an answer, so a code that is
// held in front is read again.
func (k *kiosk) importBundle(ctx context.Context, r io.Reader) ([]string, error) {
	bundle, err := fleet.ReadBundle(r)
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
	k.log.Info("documents applied", "changed", changed)
	for _, l := range k.lanes {
		l.scanner.Forget()
	}
	k.raiseFloor()
	now := k.time.moment()
	ev := &entry.Event{At: now.At, Clock: now.Clock, Kind: entry.EventTrust, Note: fmt.Sprint(changed)}
	k.health.set(condition.Record, k.ledger.Record(ctx, ev))
	return changed, nil
}

// status is the kiosk now.
func (k *kiosk) status() client.Status {
	k.observe()
	last, _ := k.ledger.Last() // what is wrong with it was observed
	s := client.Status{
		Venue: k.cfg.Venue, Kiosk: k.cfg.Kiosk, Version: Version(), Started: k.started, Data: k.data(),
		Ledger: client.Ledger{ID: k.ledger.ID(), Events: last, Commits: k.ledger.Commits()}, Conditions: k.health.conditions(),
	}
	for _, l := range k.lanes {
		lane := l.status()
		s.Lanes = append(s.Lanes, lane)
		if l.serving.Load() && (s.Data.Freshness == "fresh" || s.Data.Freshness == "stale") {
			s.Ready = true
		}
	}
	return s
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
		d.Documents = append(d.Documents, client.Document{Kind: v.Kind, Scope: v.Scope, Version: v.Version})
	}
	return d
}
