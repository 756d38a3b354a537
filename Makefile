# Everything a developer does here.  Rust and Python 3 are enough; what else is needed goes into .local/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

LOCAL := .local/venv
LINT := .local/lint
ARCH ?= x86_64
CARGO_CYCLONEDX := 0.5.9
BUILT := $(or $(CARGO_TARGET_DIR),target)/debug
RUST_TARGET = $(subst arm64,aarch64,$(ARCH))-unknown-linux-gnu

export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1

.PHONY: help demo where runs plan dashboard picture alert-test build test rust bench-scale simulate each fuzz try lint end-to-end package release sbom flow sam-local test-sam bench clean

help: ## shows this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: build $(LOCAL)/.done ## shows releases of good and of bad images on a local AWS (KEEP=1 leaves it running)
	$(LOCAL)/bin/python local/demo.py $(if $(KEEP),--keep)

# A region that only the user's own settings name must win over the one that sam needs here.
ASK = @$(if $(filter file,$(origin AWS_DEFAULT_REGION)),env -u AWS_DEFAULT_REGION) $(LOCAL)/bin/python
OF_WHOM = $(if $(ENV),--environment $(ENV)) $(if $(STACK),--stack $(STACK)) $(if $(DEMO),--local)

where: $(LOCAL)/.done ## which digest runs where, since when, verified by what (ENV=..., STACK=..., DEMO=1)
	$(ASK) local/where.py $(OF_WHOM)

runs: $(LOCAL)/.done ## the last runs of an environment, and what became of them (ENV=..., LAST=20, STACK=..., DEMO=1)
	$(ASK) local/runs.py $(OF_WHOM) $(if $(LAST),--last $(LAST))

plan: $(LOCAL)/.done ## what a release would do (ENV=..., SCOPE=... or SERVICES=... or REPOSITORY=... IMAGE=...)
	$(ASK) local/plan.py $(OF_WHOM) $(if $(SCOPE),--scope $(SCOPE)) $(if $(SERVICES),--services $(SERVICES)) \
	  $(if $(REPOSITORY),--repository $(REPOSITORY)) $(if $(IMAGE),--image $(IMAGE))

dashboard: $(LOCAL)/.done ## the dashboard of the stack, in a browser (STACK=..., PORT=8765, DEMO=1)
	$(ASK) local/dashboard.py $(if $(STACK),--stack $(STACK)) $(if $(PORT),--port $(PORT)) $(if $(DEMO),--local)

picture: demo ## docs/dashboard.png, drawn from a run of the demo; takes a browser
	$(LOCAL)/bin/python local/picture.py .local/demo/report.html docs/dashboard.png

alert-test: $(LOCAL)/.done ## tells each channel of the alerts that somebody tries it (CHANNEL=..., STACK=..., DEMO=1)
	$(ASK) local/alert_test.py $(if $(CHANNEL),--channel $(CHANNEL)) $(if $(STACK),--stack $(STACK)) \
	  $(if $(DEMO),--local)

test: rust lint end-to-end ## everything that must hold before a change goes in

build:
	cargo build --workspace

rust: ## format, clippy, unit, table and contract tests
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --workspace; else cargo test --workspace; fi

bench-scale: build ## releases of 1 to 1,000 services on an AWS in memory: seconds, calls, refusals, bytes (SIZES="40 200")
	$(BUILT)/bench-scale $(SIZES)

simulate: build ## histories of pushes, people and faults, drawn from seeds (SEEDS=10 or YEARS=1, FROM=1): what is promised holds
	SEEDS=$(SEEDS) YEARS=$(YEARS) FROM=$(FROM) ACTIONS=$(ACTIONS) $(BUILT)/simulate

each: ## each call of recorded releases fails in each way, each function comes again at each moment (takes minutes)
	EACH=1 cargo test --quiet --profile quick --package fleet --test each -- --nocapture

fuzz: ## hostile texts for all that reads one (N=100000 SEED=1 BODY=pack): each is refused by name, or keeps its promises
	N=$(or $(N),100000) SEED=$(or $(SEED),1) $(if $(BODY),BODY=$(BODY)) \
	  cargo run --quiet --profile quick --package inputs --bin fuzz

try: build ## live tests against one URL (PACK=tests.json URL=http://localhost:8080 CHECK=... PHASE=... VARS="a=b" SECRETS=...)
	@$(BUILT)/try-pack --pack "$(PACK)" --url "$(URL)" --vars "$(VARS)" $(if $(CHECK),--check "$(CHECK)") \
	  $(if $(PHASE),--phase "$(PHASE)") $(if $(SECRETS),--secrets "$(SECRETS)")

lint: $(LINT)/.done ## the template, as it is written and as AWS translates it
	PATH="$$PWD/$(LINT)/bin:$$PATH" sam validate --lint
	$(LINT)/bin/cfn-lint template.yaml
	$(LINT)/bin/python local/lint/translate.py template.yaml > .local/translated.json
	$(LINT)/bin/cfn-lint .local/translated.json

end-to-end: build $(LOCAL)/.done ## the local AWS, and whole releases on it
	$(LOCAL)/bin/python -m pytest -q --numprocesses 2 local/tests

package: $(LINT)/.done ## what is deployed, by sam build (ARCH=arm64|x86_64), in .local/package/<ARCH>
	@test -d "$$(rustc --print sysroot)/lib/rustlib/$(RUST_TARGET)" \
	  || { echo "The Rust target for $(ARCH) is not installed: rustup target add $(RUST_TARGET)"; exit 1; }
	PATH="$$PWD/$(LINT)/bin:$$PATH" sam build --build-dir .local/package/$(ARCH) --parameter-overrides Architecture=$(ARCH)
	$(LINT)/bin/python local/lint/architecture.py .local/package/$(ARCH)/template.yaml $(ARCH)

MACHINE := $(subst aarch64,arm64,$(shell uname -m))
# Whoever has no Docker hears of it before anything is built.
SAM_NEEDS = python3 local/engine.py --for "make $@" && $(MAKE) -s \
  $(LOCAL)/.done $(LINT)/.done .local/package/$(MACHINE)/template.yaml
SAM_LOCAL = $(LOCAL)/bin/python local/sam_local.py

sam-local: ## one function as `sam local invoke` runs it, with Docker (FUNCTION=DeployFunction EVENT=events/deploy/register.json)
	@$(SAM_NEEDS) >&2
	@$(SAM_LOCAL) --function "$(FUNCTION)" --event "$(EVENT)"

test-sam: ## every sample of events/ through SAM's runtime emulator, with Docker: the answers are those beside them
	@$(SAM_NEEDS)
	@$(SAM_LOCAL)

.local/package/%/template.yaml:
	$(MAKE) package ARCH=$*
# A peer is installed under .local/bench/: the handler with what is deployed beside it is its `task`.
BENCH := .local/bench
BOOTSTRAP = .local/package/$(ARCH)/ReleaseFunction/bootstrap
ROUNDS := 15
PEERS := python node
WRITE := 1

bench: $(BENCH)/venv/.done $(PEERS:%=$(BENCH)/%/.done) ## cold starts beside Python and Node (ROUNDS=15, BOOTSTRAP=..., AGAINST=..., PEERS=, WRITE=)
	@$(BENCH)/venv/bin/python bench/run.py --rounds $(ROUNDS) --peers "$(PEERS)" --bootstrap $(BOOTSTRAP) \
	  $(if $(AGAINST),--against $(AGAINST)) $(if $(WRITE),--write)

$(BENCH)/python/.done: $(wildcard bench/peers/python/*) $(BENCH)/venv/.done
	rm -rf $(@D)
	cd $(BENCH) && venv/bin/pip install --quiet --disable-pip-version-check --target python/task \
	  --requirement $(CURDIR)/bench/peers/python/requirements.txt
	cd $(BENCH) && venv/bin/pip install --quiet --disable-pip-version-check --target python/runtime \
	  --requirement $(CURDIR)/bench/peers/python/requirements-runtime.txt
	cp bench/peers/python/handler.py $(@D)/task/
	$(BENCH)/venv/bin/python -m compileall -q $(@D)/task/handler.py
	touch $@

$(BENCH)/node/.done: $(wildcard bench/peers/node/*)
	rm -rf $(@D)
	mkdir -p $(@D)
	cp bench/peers/node/{package.json,package-lock.json,handler.mjs} $(@D)/
	cd $(@D) && npm ci --silent --no-audit --no-fund && node_modules/.bin/esbuild handler.mjs --bundle --minify \
	  --main-fields=module,main --platform=node --target=node20 --format=cjs --outfile=task/handler.js --log-level=warning
	touch $@

release: ## what is published of this version: zips, template, parts, checksums (for each architecture that is there)
	@for arch in x86_64 arm64; do \
	  if [ -d "$$(rustc --print sysroot)/lib/rustlib/$${arch/arm64/aarch64}-unknown-linux-gnu" ]; then \
	    $(MAKE) package sbom ARCH=$$arch && $(LINT)/bin/python local/release.py $$arch || exit 1; \
	  else echo "release $$arch: not built, its Rust target is not installed here"; fi; \
	done

SBOM_TOOL := .local/tools/bin/cargo-cyclonedx

sbom: ## what each bootstrap is made of, in CycloneDX (ARCH=arm64|x86_64), in .local/sbom/<ARCH>
	[[ "$$($(SBOM_TOOL) cyclonedx --version 2>/dev/null)" == *" $(CARGO_CYCLONEDX)" ]] \
	  || cargo install --quiet --locked --root .local/tools cargo-cyclonedx --version $(CARGO_CYCLONEDX)
	$(SBOM_TOOL) cyclonedx --quiet --format json --spec-version 1.5 --describe binaries --no-build-deps \
	  --target $(RUST_TARGET)
	mkdir -p .local/sbom/$(ARCH)
	for name in $(notdir $(wildcard functions/*)); do \
	  mv functions/$$name/$${name}_bin.cdx.json .local/sbom/$(ARCH)/$$name.cdx.json; done
	find crates -name '*_bin.cdx.json' -delete # it writes beside the Cargo.toml of every member, deployed or not

flow: ## draws docs/flow.svg from the definition of the state machine
	@python3 local/draw_flow.py

clean: ## removes what was built and installed here
	rm -rf target .local .aws-sam

# A virtual environment, made again when its list of versions changes.
$(LOCAL)/.done: local/requirements.txt
$(LINT)/.done: local/requirements-lint.txt
$(BENCH)/venv/.done: bench/requirements.txt
$(LOCAL)/.done $(LINT)/.done $(BENCH)/venv/.done:
	rm -rf $(@D)
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
