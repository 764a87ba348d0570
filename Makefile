# orgd. `make help` lists what there is.

GO     ?= go
PYTHON ?= python3
TOOL    = $(GO) tool -modfile=tools/go.mod
VENV    = .venv
MONGOD  = $(VENV)/bin/secantusd-py

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Run orgd on http://127.0.0.1:8000 (Swagger UI at /docs)
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
test: $(TEST_SERVER) ## Run all tests, with the race detector
	$(GO) test -race -timeout 30m ./...

.PHONY: test-mongo
test-mongo: $(TEST_SERVER) ## Run the MongoDB engine's tests, and the store's on it, at length
	ORGD_TEST_LONG=1 $(GO) test -race -timeout 2h -v -run 'MongoDB' ./internal/docdb/mongodb/... ./internal/tenant/...

.PHONY: fuzz
fuzz: ## Fuzz every fuzz test for FUZZTIME (default 30s) each
	@for pkg in $$($(GO) list ./internal/...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(or $(FUZZTIME),30s) $$pkg || exit 1; \
	  done; done

.PHONY: generate
generate: ## Generate gen/ from openapi.yaml
	$(TOOL) oapi-codegen -config gen/api/config.yaml openapi.yaml
	$(TOOL) oapi-codegen -config gen/client/config.yaml openapi.yaml

.PHONY: check-generate
check-generate: generate ## Fail if gen/ is not what openapi.yaml generates
	@changes=$$(git status --porcelain -- gen) && [ -z "$$changes" ] || { \
	  echo "gen/ is not what openapi.yaml generates; commit these:" >&2; echo "$$changes" >&2; git --no-pager diff -- gen >&2; exit 1; }

.PHONY: lint
lint: ## Check formatting, vet, staticcheck, unparam
	@files=$$(gofmt -l $$(git ls-files '*.go')) && [ -z "$$files" ] || { echo "run gofmt -w on:" >&2; echo "$$files" >&2; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) unparam ./...
	$(GO) mod tidy -diff
	$(GO) mod verify

LINT = tools/lint/node_modules/.package-lock.json

$(LINT): tools/lint/package-lock.json
	@command -v npm >/dev/null || { echo "The contract's linters need Node 20 or later with npm." >&2; exit 1; }
	npm ci --prefix tools/lint --no-audit --no-fund

.PHONY: lint-contract
lint-contract: $(LINT) ## Lint openapi.yaml (redocly, spectral) and compare it with openapi.released.yaml
	cd tools/lint && node_modules/.bin/redocly lint --config redocly.yaml ../../openapi.yaml
	cd tools/lint && node_modules/.bin/spectral lint --ruleset spectral.yaml --fail-severity=warn ../../openapi.yaml
	$(TOOL) oasdiff breaking --fail-on WARN --severity-levels tools/lint/oasdiff-severity.txt openapi.released.yaml openapi.yaml

.PHONY: audit
audit: ## Look what ships up in the vulnerability databases; say so where these are out of reach
	@$(TOOL) govulncheck ./...; case $$? in 0) ;; 3) exit 1;; *) echo "Go's vulnerability database is out of reach: not checked.";; esac
	@out=$$(npm audit --omit=dev --prefix sdk/typescript 2>&1) || case "$$out" in \
	  *"audit endpoint"*|*ENOTFOUND*|*EAI_AGAIN*|*ECONNREFUSED*) echo "npm's vulnerability database is out of reach: not checked.";; \
	  *) echo "$$out" >&2; exit 1;; esac

.PHONY: ci
ci: check-generate lint lint-contract test ## What CI runs
