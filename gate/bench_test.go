// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/entry/entrytest"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// BenchmarkAdmit measures from the call of Admit to the relay's edge on the board; making the grant and the rest of the pulse are
// outside. Its ns/op is the median.
func BenchmarkAdmit(b *testing.B) {
	board := gatetest.New(gatetest.Config{})
	b.Run("in process", func(b *testing.B) { benchmarkAdmit(b, board, board.Lines("north")) })

	path := filepath.Join(b.TempDir(), "board.sock")
	if err := board.Listen(path); err != nil {
		b.Fatal(err)
	}
	defer board.Close()
	lines, err := gatetest.Dial(path, "north")
	if err != nil {
		b.Fatal(err)
	}
	defer lines.Close()
	b.Run("over the socket", func(b *testing.B) { benchmarkAdmit(b, board, lines) })
}

func benchmarkAdmit(b *testing.B, board *gatetest.Board, lines gate.Lines) {
	g, err := gate.New(gate.Config{Lane: "north"}, lines)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	ran := make(chan error, 1)
	go func() { ran <- g.Run(ctx) }()

	var took []time.Duration
	for b.Loop() {
		board.Forget()
		grant := entrytest.Grant(b, "north")
		mark := board.Mark()
		pulse, over := context.WithCancel(ctx)
		done := make(chan error, 1)
		called := time.Now()
		go func() {
			_, err := g.Admit(pulse, grant)
			done <- err
		}()
		edge, err := board.WaitEdge(ctx, mark, "north", gate.Relay, true)
		over() // ends the pulse
		if err := errors.Join(err, <-done); err != nil {
			b.Fatal(err)
		}
		took = append(took, edge.Time.Sub(called))
	}
	stop()
	if err := <-ran; err != nil {
		b.Fatal(err)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "ns/op")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}
