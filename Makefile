# Everything here works from a fresh clone with Go, make, git and bash: whatever else a target needs it builds from
# pinned Go modules and keeps under bin/. Only `generate` writes to files that git tracks.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMAND ?= manager
IMAGE ?= $(if $(filter-out manager,$(COMMAND)),onebid-$(COMMAND):dev,onebid:dev)
KUBECTL ?= $(shell command -v kubectl 2>/dev/null || echo bin/controlplane/kubectl)
GOLDFLAGS := -s -w -X main.version=$(VERSION)

# The directory of the control plane, built when needed; KUBEBUILDER_ASSETS wins when it is set.
ASSETS = $$(hack/controlplane/build.sh)

##@ Start here

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "; print "Usage: make TARGET"} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z][a-z-]*:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Show scanners racing for one posting, on a local control plane
	@assets="$(ASSETS)"; KUBEBUILDER_ASSETS="$$assets" go run ./hack/demo $(ARGS)

.PHONY: dev
dev: build ## Run a control plane, the simulator and the manager until Ctrl-C
	@assets="$(ASSETS)"; KUBEBUILDER_ASSETS="$$assets" $(if $(wildcard hack/dev/.),go run )./hack/dev $(ARGS)

##@ Development

.PHONY: generate
generate: ## Regenerate deepcopy code, CRDs, RBAC and the client
	@hack/generate.sh .

.PHONY: verify
verify: ## Check everything that CI checks, but the tests
	@hack/verify.sh

.PHONY: lint
lint: ## Run golangci-lint, and kube-api-linter on the API types
	@hack/lint.sh

.PHONY: test
test: ## Run all tests against a real API server, then the coverage gate
	@assets="$(ASSETS)"; KUBEBUILDER_ASSETS="$$assets" hack/test.sh $(ARGS)

.PHONY: model
model: ## Search a model of the Lease protocol for a broken promise (a minute or two)
	@echo "model: searching all configurations; a line every few seconds says how far"
	@go test ./test/model -count=1 -v -timeout 60m -args -full $(ARGS)

.PHONY: simulate
simulate: ## Play ten thousand histories of the real controllers in virtual time (two minutes; ARGS='-seed 42' for one)
	@echo "simulate: playing seeded histories on all processors; a broken promise prints its seed and what happened"
	@go test ./test/simulation -count=1 -v -run 'TestHistories|TestBeyondBounds' -timeout 60m -args -histories 10000 $(ARGS)

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME each (ARGS='Money Name' for some; an hour in all)
	@hack/fuzz.sh $(ARGS)

.PHONY: mutate
mutate: ## Remove each step of the protocol, one at a time, and see a test turn red for it (some minutes)
	@assets="$(ASSETS)"; KUBEBUILDER_ASSETS="$$assets" go run ./hack/mutate $(ARGS)

.PHONY: crash
crash: ## Kill, stop and cut off managers at every boundary of the protocol (ARGS='-only placed' for some; ten minutes or so)
	@assets="$(ASSETS)"; mkdir -p bin/crash; go test -c -o bin/crash/crash.test ./test/crash; \
	  cd test/crash; KUBEBUILDER_ASSETS="$$assets" ../../bin/crash/crash.test -test.timeout 60m -full -out "$(CURDIR)/bin/crash" $(ARGS)

##@ Build

.PHONY: build
build: ## Build the static binaries into bin/
	@test -d cmd || { echo "build: there is no cmd folder, so nothing to build" >&2; exit 1; }
	@echo "build: compiling ./cmd/... (a few minutes the first time, then seconds)"
	@CGO_ENABLED=0 go build -trimpath -ldflags "$(GOLDFLAGS)" -o bin/ ./cmd/...
	@echo "build: $(VERSION): $$(go list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./cmd/... | sed 's#.*/#bin/#' | xargs)"

.PHONY: image
image: ## Build the container image IMAGE of COMMAND (manager or scanner) with buildah
	@COMMAND="$(COMMAND)" IMAGE="$(IMAGE)" GOLDFLAGS="$(GOLDFLAGS)" hack/image.sh

.PHONY: clean
clean: ## Remove all that was built (the control plane takes minutes to come back)
	@rm -rf bin

##@ The control plane for tests

.PHONY: controlplane
controlplane: ## Provide kube-apiserver, etcd, kubectl and kube-controller-manager; prints where
	@hack/controlplane/build.sh

.PHONY: controlplane-path
controlplane-path: ## Print where `make controlplane` puts them, without building
	@hack/controlplane/build.sh --path

##@ A cluster (the current kubectl context)

bin/controlplane/kubectl:
	@hack/controlplane/build.sh >/dev/null

.PHONY: install
install: $(filter bin/%,$(KUBECTL)) ## Install or upgrade the CRDs
	@$(KUBECTL) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: $(filter bin/%,$(KUBECTL)) ## Remove the CRDs; refuses while Bids exist
	@hack/remove.sh $(KUBECTL) config/crd

.PHONY: deploy
deploy: $(filter bin/%,$(KUBECTL)) ## Install or upgrade CRDs, policies, RBAC and the manager from IMAGE
	@IMAGE="$(IMAGE)" hack/deploy.sh $(KUBECTL)

.PHONY: undeploy
undeploy: $(filter bin/%,$(KUBECTL)) ## Remove what deploy installed; refuses while Bids exist
	@hack/remove.sh $(KUBECTL) config/default
