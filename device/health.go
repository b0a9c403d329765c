// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/device/client"
)

// health holds what is wrong now, by name. Rooms report upward by plain functions; only device knows health.
type health struct {
	now func() time.Time
	log *slog.Logger

	mu    sync.Mutex
	wrong map[string]client.Condition
}

func newHealth(now func() time.Time, log *slog.Logger) *health {
	return &health{now: now, log: log, wrong: map[string]client.Condition{}}
}

// begin states what is not well yet at the start; it is nothing to warn of.
func (h *health) begin(name string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong[name] = client.Condition{Name: name, Text: err.Error(), Since: h.now()}
}

// set raises a condition, changes its text, or lowers it with nil. Only a change is logged.
func (h *health) set(name string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was, raised := h.wrong[name]
	switch {
	case err == nil && raised:
		delete(h.wrong, name)
		h.log.Info("condition over", "condition", name, "lasted", h.now().Sub(was.Since).Round(time.Second))
	case err != nil && (!raised || was.Text != err.Error()):
		if !raised {
			was.Since = h.now()
		}
		h.wrong[name] = client.Condition{Name: name, Text: err.Error(), Since: was.Since}
		h.log.Warn("condition", "condition", name, "error", err)
	}
}

// conditions lists what is wrong, by name.
func (h *health) conditions() []client.Condition {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]client.Condition, 0, len(h.wrong))
	for _, c := range h.wrong {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b client.Condition) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// text is what is wrong under a name, or well.
func (h *health) text(name, well string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.wrong[name]; ok {
		return c.Text
	}
	return well
}
