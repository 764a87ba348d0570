# orgd. `make help` lists what there is.

GO     ?= go
PYTHON ?= python3
TOOL    = $(call TOOL_IN,.)
TOOL_IN = $(GO) -C $(1) tool -modfile=$(CURDIR)/tools/go.mod
VENV    = .venv
MONGOD  = $(VENV)/bin/secantusd-py

# The modules of this repository: orgd, the Go SDK, and the SDK's tests, which need both.
# Each is complete by itself: a go.work would have them share their dependencies, and
# would not go with -modfile.
MODULES = . sdk/go sdk/go/tests

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Run orgd on http://127.0.0.1:8000 (Swagger UI at /docs)
	@echo "Compiling orgd; the first time that takes some minutes." >&2
	$(GO) run ./cmd/orgd serve

.PHONY: build
build: ## Build bin/orgd
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

# The tests need a MongoDB: they start one of their own, from $(VENV). To use
# yours, set ORGD_TEST_MONGO_URI; to do without, ORGD_TEST_MONGO=off.
ifeq ($(ORGD_TEST_MONGO)$(ORGD_TEST_MONGO_URI),)
TEST_SERVER = $(MONGOD)
endif

$(MONGOD): tools/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "The tests need Python 3.10 or later (set PYTHON=...), or ORGD_TEST_MONGO=off to leave MongoDB out." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tools/requirements.txt
	@touch $@

.PHONY: test
test: $(TEST_SERVER) $(SDK_TOOLS) chromium ## Run the tests that a person waits for, without what searches for long
	$(MAKE) --no-print-directory --jobs=2 --output-sync=line test-typescript test-go

.PHONY: test-go
test-go: $(TEST_SERVER) ## Run Go's tests, without what searches for long: two packages at a time, since many wait for the disk
	$(GO) test -short -p 2 -timeout 45m ./...
	$(GO) -C sdk/go test -short ./...
	$(GO) -C sdk/go/tests test -short -timeout 45m ./...

# The suite of the contract sends requests to a service that is tested with the race detector elsewhere, and takes
# three times as long with it.
UNRACED = internal/contracttest/suite

.PHONY: test-long
test-long: $(TEST_SERVER) test-typescript ## Run all tests, Go's with the race detector (which needs a C compiler)
	$(GO) build -race ./...
	$(GO) test -race -p 1 -timeout 30m $$($(GO) list ./... | grep -v '/$(UNRACED)$$')
	$(GO) test -timeout 30m ./$(UNRACED)
	$(GO) -C sdk/go test -race ./...
	$(GO) -C sdk/go/tests test -race -timeout 30m ./...

.PHONY: test-go-sdk
test-go-sdk: ## Test the Go SDK: alone, and with the orgd of this work tree
	$(GO) -C sdk/go test ./...
	$(GO) -C sdk/go/tests test -timeout 45m ./...

.PHONY: test-mongo
test-mongo: $(TEST_SERVER) ## Run the MongoDB engine's tests, and the store's on it, at length
	ORGD_TEST_LONG=1 $(GO) test -race -timeout 2h ./internal/docdb/mongodb/...
	ORGD_TEST_LONG=1 $(GO) test -race -timeout 2h -run 'MongoDB' ./internal/tenant/...

.PHONY: histories
histories: $(TEST_SERVER) ## Search for a history of clients during moves that cannot be, for SEEDS=1000 seeds an engine
	$(GO) test -timeout 24h -run Histories ./internal/tenant -seeds $(or $(SEEDS),1000)

.PHONY: properties
properties: ## Hold CHECKS (default 2000) drawn requests of each kind and operation against the contract
	$(GO) test -timeout 2h -run 'TestTheContract' ./internal/contracttest/suite -rapid.checks=$(or $(CHECKS),2000)

.PHONY: mutants
mutants: ## Break the service in many ways, and show which test of the contract finds each
	$(GO) test -v -run 'TestFaultsAreFound' ./internal/contracttest/suite

.PHONY: test-schemathesis
test-schemathesis: $(MONGOD) build ## Have Schemathesis make up requests from openapi.yaml (CASES, SEED)
	tools/schemathesis/run.sh

.PHONY: siege
siege: ## Besiege orgd with hostile clients of each kind, beside a victim (SIEGE: see go run ./bench siege -h)
	$(GO) run ./bench siege $(SIEGE)

# Short, and without a look at times: a machine that others use says nothing of them.
.PHONY: siege-short
siege-short:
	$(GO) run ./bench siege -lasts 1s -tenants 3 -factor 0

.PHONY: bench
bench: ## Measure orgd against what it is built on; writes bench/RESULTS.md (needs a quiet machine; MongoDB: see bench/main.go)
	$(GO) test -run '^$$' -bench . -benchtime 2s ./internal/docdb/embedded
	$(GO) run ./bench -o bench/RESULTS.md

PEER = bench/.peer

$(PEER)/bin/uvicorn: bench/peer/fastapi/requirements.txt
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/pip install --quiet --disable-pip-version-check -r bench/peer/fastapi/requirements.txt
	@touch $@

.PHONY: bench-peer
bench-peer: $(PEER)/bin/uvicorn ## Measure orgd on MongoDB against a FastAPI program and the bare driver (a quiet machine; PEERFLAGS: see go run ./bench peer -h)
	$(GO) run ./bench peer -python $(PEER)/bin/python $(PEERFLAGS)

.PHONY: fuzz
fuzz: ## Fuzz every fuzz test for FUZZTIME (default 30s) each
	@for pkg in $$($(GO) list ./internal/...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(or $(FUZZTIME),30s) $$pkg || exit 1; \
	  done; done

.PHONY: generate
generate: generate-typescript ## Generate gen/, sdk/go/client and the clients' tables of operations from openapi.yaml
	$(TOOL) oapi-codegen -config gen/api/config.yaml openapi.yaml
	$(TOOL) oapi-codegen -config sdk/go/client/config.yaml openapi.yaml
	$(GO) run ./internal/policy/tables

GENERATED = gen sdk/go/client sdk/go/internal/policy/table_gen.go sdk/typescript/src/operations.gen.ts

.PHONY: check-generate
check-generate: generate ## Fail if what is generated is not what openapi.yaml generates
	@changes=$$(git status --porcelain -- $(GENERATED)) && [ -z "$$changes" ] || { \
	  echo "$(GENERATED): not what openapi.yaml generates; commit these:" >&2; echo "$$changes" >&2; git --no-pager diff -- $(GENERATED) >&2; exit 1; }

.PHONY: lint
lint: $(MODULES:%=lint-module/%) ## Check formatting, vet, staticcheck, unparam, go.mod, of every module; report how the code is built
	@files=$$(gofmt -l $$(git ls-files '*.go')) && [ -z "$$files" ] || { echo "run gofmt -w on:" >&2; echo "$$files" >&2; exit 1; }
	@$(GO) run ./tools/structure/main.go internal cmd sdk/go bench

lint-module/%:
	$(GO) -C $* vet ./...
	$(call TOOL_IN,$*) staticcheck ./...
	$(call TOOL_IN,$*) unparam ./...
	$(GO) -C $* mod tidy -diff
	$(GO) -C $* mod verify

.PHONY: tidy
tidy: ## Bring go.mod and go.sum of every module up to date
	@for m in $(MODULES); do $(GO) -C $$m mod tidy || exit 1; done

LINT = tools/lint/node_modules/.package-lock.json

$(LINT): tools/lint/package-lock.json
	@command -v npm >/dev/null || { echo "The contract's linters need Node 20 or later with npm." >&2; exit 1; }
	npm ci --prefix tools/lint --no-audit --no-fund

.PHONY: lint-contract
lint-contract: $(LINT) ## Lint openapi.yaml (redocly, spectral, x-policy) and compare it with openapi.released.yaml
	$(GO) test ./internal/policy
	cd tools/lint && node_modules/.bin/redocly lint --config redocly.yaml ../../openapi.yaml
	cd tools/lint && node_modules/.bin/spectral lint --ruleset spectral.yaml --fail-severity=warn ../../openapi.yaml
	$(TOOL) oasdiff breaking --fail-on WARN --severity-levels tools/lint/oasdiff-severity.txt openapi.released.yaml openapi.yaml

.PHONY: audit
audit: ## Look what ships up in the vulnerability databases; say so where these are out of reach
	@for m in . sdk/go; do $(call TOOL_IN,$$m) govulncheck ./...; case $$? in 0) ;; 3) exit 1;; *) echo "Go's vulnerability database is out of reach: not checked.";; esac; done
	@out=$$(npm audit --omit=dev --prefix sdk/typescript 2>&1) || case "$$out" in \
	  *"audit endpoint"*|*ENOTFOUND*|*EAI_AGAIN*|*ECONNREFUSED*) echo "npm's vulnerability database is out of reach: not checked.";; \
	  *) echo "$$out" >&2; exit 1;; esac

# CI has the same requests made up every time; `make test-schemathesis` looks for new ones.
.PHONY: ci
ci: export SEED ?= 1
ci: check-generate lint lint-contract audit siege-short test-schemathesis test-long ## What CI runs

# The TypeScript package. Its tools come from npm, as its lock file says; what it
# is tested against is the orgd of this work tree.
SDK       = sdk/typescript
SDK_TOOLS = $(SDK)/node_modules/.package-lock.json

$(SDK_TOOLS): $(SDK)/package-lock.json $(SDK)/package.json
	@node -e '[M, m] = process.versions.node.split("."); process.exit(+(M < 20 || M == 20 && m < 19))' && command -v npm >/dev/null || { \
	  echo "The TypeScript package is made with Node 20.19 or later and npm." >&2; exit 1; }
	cd $(SDK) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: generate-typescript
generate-typescript: $(SDK_TOOLS) ## Generate gen/typescript from openapi.yaml
	cd $(SDK) && npm run --silent generate

.PHONY: build-typescript
build-typescript: $(SDK_TOOLS) ## Build the TypeScript package, packed for npm install: bin/orgd-sdk-*.tgz
	mkdir -p bin && rm -rf $(SDK)/dist bin/orgd-sdk-*.tgz
	cd $(SDK) && npm pack --silent --pack-destination ../../bin

# $(CHROMIUM) is a Chromium to use instead of the one on the path.
.PHONY: chromium
chromium:
	@[ -n "$(CHROMIUM)" ] || command -v chromium >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -q update && apt-get -q install -y chromium; } || { \
	  echo "The tests in a browser need Chromium: install it (Debian's package is chromium) or set CHROMIUM to its path." >&2; exit 1; }

.PHONY: test-typescript
test-typescript: $(SDK_TOOLS) chromium ## Test the TypeScript package: in Node, in Chromium, packed and installed; and Swagger UI
	rm -rf $(SDK)/dist $(SDK)/build
	$(GO) build -o $(SDK)/build/bin/ ./cmd/orgd
	cd $(SDK) && ORGD=$(CURDIR)/$(SDK)/build/bin/orgd CHROMIUM="$(CHROMIUM)" npm test
