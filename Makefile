# `make check` runs by hand what .ci/run runs.
GO ?= go
LINT = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: check fmt lint test race bench fuzz soak figures sandbox build clean

check: lint test race

lint:
	$(GO) mod verify
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(LINT) fmt --diff
	$(LINT) run ./...

fmt:
	$(LINT) fmt

test:
	$(GO) test ./...

# The packages in which goroutines meet; the rest is covered by `test`.
race:
	$(GO) test -race -short $$($(GO) list ./internal/... | grep -v -e /e2e -e /proof -e /sandbox$$)

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./internal/...

# Every fuzz target for FUZZTIME each.
FUZZTIME ?= 30s
fuzz:
	@for p in $$($(GO) list ./internal/...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

# The crash run at length, with faults of the store among the kills; docs/soak.md keeps
# its last result.
KILLS ?= 1000
soak:
	GONGDAN_SOAK_KILLS=$(KILLS) GONGDAN_SOAK_STORE=1 $(GO) test -count=1 -timeout 10h -run '^TestCrash$$' -v ./internal/proof

# The figures of this repository, as the table that docs/architecture.md keeps.
figures:
	@$(GO) run tools/measure/*.go

sandbox:
	$(GO) run ./cmd/sandbox

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/ ./cmd/...

clean:
	rm -rf bin
