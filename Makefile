# The only entry point: what runs here is what runs in CI. `make` alone lists the targets.
# ARGS goes to the program: make run ARGS="--listen 127.0.0.1:9000", make deploy ARGS=--help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run check fmt test simulate fuzz bench emulators generate build size deploy deploy-local

ARCH ?= arm64
FUNCTIONS := webhook agent heartbeat api sandbox mail
# Built as packages, not as binaries of the workspace: what only the command line and tests need stays out of them.
PACKAGES := $(FUNCTIONS:%=--package chela-function-%)
LOCAL := target/local
CHELA_BENCH_PROFILE ?= release
NEXTEST := $(shell command -v cargo-nextest)
export SAM_CLI_TELEMETRY := 0

help: ## This list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: ## The whole gateway in one process, on an embedded store, without any key
	cargo run -p chela -- run $(ARGS)

check: ## Formatting, lints, licences and banned crates: a minute before a commit
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	tools/deny

fmt: ## Formats the Rust code
	cargo fmt --all

test: ## Every test; installs the tools it needs into .tools first
	tools/bootstrap emulator lint sam oracles synapse irc bubblewrap litellm mcp mcp-v1 browser
	cargo build --workspace --all-targets --locked
	CHELA_BUILT=1 CHELA_REPORT_DIR=$(CURDIR)/target/reports cargo $(if $(NEXTEST),nextest run,test) --workspace --locked
	.tools/emulator/bin/python -m unittest discover -s tests/infra
	python3 -m unittest discover -s tests/docs -p "*.py"

simulate: ## A million turns that each met a fault; ARGS=--help for more, ARGS="--seed 7 --story" tells one seed's story
	cargo run -p chela-simulation --locked -- --turns 1000000 $(ARGS)

fuzz: ## Two million odd bodies to the parser of every channel; FUZZ=<number> of them
	CHELA_FUZZ=$(or $(FUZZ),2000000) cargo $(if $(NEXTEST),nextest run --cargo-profile,test --profile) dev -p 'chela-channel-*' mutated_bodies_never_panic

bench: ## CPU, speed, memory, starts, sizes, calls and dollars into target/bench.json; QUICK=1 is shorter
	tools/bootstrap emulator
	cargo build --profile $(CHELA_BENCH_PROFILE) --locked $(FUNCTIONS:%=--bin %) --bin chela --bin chela-bench --bin chela-bench-empty
	target/$(CHELA_BENCH_PROFILE:dev=debug)/chela-bench $(if $(QUICK),--quick) $(ARGS)

emulators: ## Starts the local AWS on port 4566 (tools/emulator --help for more)
	tools/bootstrap emulator
	tools/emulator start

generate: ## Writes the files that are made from others
	infra/generate.py

build: ## Binaries for Lambda in target/lambda, ARCH=arm64 or x86_64
	tools/bootstrap cargo-lambda
	PATH="$(CURDIR)/.tools/cargo-lambda/bin:$$PATH" cargo lambda build --release --locked --$(subst _,-,$(ARCH)) $(PACKAGES) $(ARGS)

size: ## How large those binaries are, and zipped
	tools/size

deploy: ## Build and deploy to AWS; ARGS=--help explains the arguments
	tools/bootstrap cargo-lambda sam
	tools/deploy $(ARGS)

deploy-local: ## The same template into the local AWS of `make emulators`
	tools/bootstrap emulator sam
	cargo build --release --locked $(PACKAGES)
	for name in $(FUNCTIONS); do mkdir -p $(LOCAL)/$$name && cp target/release/$$name $(LOCAL)/$$name/bootstrap; done
	CHELA_BOOTSTRAPS=$(LOCAL) tools/deploy-local $(ARGS)
