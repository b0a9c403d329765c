# SPDX-FileCopyrightText: The Gatehouse authors
# SPDX-License-Identifier: Apache-2.0

SHELL       := /bin/bash
GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
ARM         := CGO_ENABLED=0 GOARCH=arm GOARM=7
PURE        := ./credential/... ./entry/... ./cache/...

.PHONY: help demo build test check race arm bench torture virtual install install-files

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

demo: ## a morning at one gate, played with the real kiosk (KEEP=1 leaves it running)
	@CGO_ENABLED=0 $(GO) build -o bin/ ./cmd/gatehouse-demo
	@bin/gatehouse-demo $(if $(KEEP),--keep)

build: ## the static binaries of every role, into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o bin/ ./cmd/...

install: build install-files ## the kiosk on a Debian machine: daemon, tool, unit, rules (DESTDIR=…)

BIN := bin
SHARE = $(DESTDIR)/usr/share/man/man1
LIB   = $(DESTDIR)/usr/lib
install-files:
	install -D -m 755 -t $(DESTDIR)/usr/bin $(BIN)/gatehoused $(BIN)/gatehouse
	install -D -m 644 -t $(SHARE) docs/man/*.1
	install -D -m 644 docs/completions/gatehouse $(DESTDIR)/usr/share/bash-completion/completions/gatehouse
	install -D -m 644 docs/completions/_gatehouse $(DESTDIR)/usr/share/zsh/vendor-completions/_gatehouse
	install -D -m 644 docs/completions/gatehouse.fish $(DESTDIR)/usr/share/fish/vendor_completions.d/gatehouse.fish
	install -D -m 644 systemd/gatehoused.service $(LIB)/systemd/system/gatehoused.service
	install -D -m 644 systemd/70-gatehouse.rules $(LIB)/udev/rules.d/70-gatehouse.rules
	install -D -m 644 systemd/gatehouse.sysusers $(LIB)/sysusers.d/gatehouse.conf
	install -D -m 644 systemd/gatehouse.tmpfiles $(LIB)/tmpfiles.d/gatehouse.conf
	install -D -m 644 systemd/gatehouse.modules $(LIB)/modules-load.d/gatehouse.conf

test: check race arm ## all checks and tests

check: ## gofmt, vet, staticcheck, govulncheck
	@test/packages gcc libc6-dev
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not gofmt-ed; run gofmt -w on:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags virtual ./test/...
	$(GO) run $(STATICCHECK) ./...
	test/vulnerabilities $(GO) run $(GOVULNCHECK)

race: ## every test, with the race detector and in shuffled order
	@test/packages gcc libc6-dev systemd udev mosquitto
	$(GO) test -race -shuffle=on -timeout 15m ./...

arm: ## credential, entry and cache on 32-bit ARM, emulated
	@test/packages qemu-user-static
	$(ARM) $(GO) test -short -exec qemu-arm-static -timeout 15m $(PURE)
	$(ARM) $(GO) build -o /dev/null ./cmd/gatehoused
	CGO_ENABLED=0 GOARCH=arm64 $(GO) build -o /dev/null ./cmd/gatehoused

bench: ## benchmarks and their ratios, as a table and in bench/latest.json
	@test/packages mosquitto
	$(GO) run ./test/bench

torture: ## kill -9 of kiosk, broker and collector, a thousand times each test, while passes are scanned (KILLS=1000 SEED=…)
	@test/packages mosquitto
	$(GO) test -count=1 -timeout 2h -v -run TestTorture ./test/torture -kills $(or $(KILLS),1000) $(if $(SEED),-seed $(SEED))

virtual: ## a whole kiosk on an emulated arm64 board
	@test/packages qemu-system-arm device-tree-compiler e2fsprogs xz-utils mosquitto
	$(GO) test -tags virtual -count=1 -parallel 3 -timeout 15m -v ./test/virtual/...
