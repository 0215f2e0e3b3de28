# Payferry: one command for each habit. Everything is installed into .venv at first use.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test test-slow test-kafka lint fmt bench tools proto clean lock

demo: $(STAMP) ## Start everything, send payments through with faults, prove that nothing is missing
	$(BIN)/payferry demo --payments 500 --faults

test: $(STAMP) ## All tests that need no other server than the embedded ones
	$(BIN)/lint-imports
	$(BIN)/pytest -n 3 -m "not alone and not slow"
	$(BIN)/pytest -m "alone and not slow"

test-slow: $(STAMP) ## The long stories: kills, outages, restarts, thousands of histories; most with all processes
	$(BIN)/pytest -m slow

test-kafka: $(STAMP) ## The integration suite on a real Apache Kafka: three brokers, one of which is killed and comes back
	PAYFERRY_REAL_KAFKA=1 $(BIN)/python -m tests.kafka_cluster --brokers 3 --kill-after 40 -- $(BIN)/pytest tests/integration

lint: $(STAMP) ## Style, types, directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## Measure: bridge against a naive one, Kafka to settled, scaling, memory
	$(BIN)/python -m benchmarks

tools: var/tools/grpcurl ## Install what some tests use besides, and skip without: grpcurl (needs Go)

var/tools/grpcurl:
	GOBIN=$(CURDIR)/var/tools go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.8.9

proto: $(STAMP) ## Generate the code of proto/payferry/v1/payment.proto anew
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --pyi_out=. --grpc_python_out=. proto/payferry/v1/payment.proto

lock: $(STAMP) ## Pin the dependencies anew
	$(BIN)/pip-compile -q $(LOCK) --extra gevent -o requirements/runtime.txt pyproject.toml
	$(BIN)/pip-compile -q $(LOCK) --extra gevent --extra embedded --extra dev -o requirements/dev.txt pyproject.toml
LOCK := --generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

clean: ## Remove what was installed and built
	rm -rf .venv var dist .payferry-demo

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Payferry needs Python 3.11 or newer; name one: make PYTHON=python3.12 demo"; exit 1; }
	@rm -rf .venv
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "On Debian, Python's venv is a package of its own: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
