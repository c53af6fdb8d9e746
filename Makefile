# SPDX-License-Identifier: Apache-2.0
# Short names for what tools/ and meson do. `make` alone installs what is missing and builds the
# release binary at build/release/sallyport.

SHELL := /bin/bash
BUILD := build/release

.PHONY: all deps run test browser-test bench fuzz soak sim fmt lint install uninstall clean docs

all: $(BUILD)/build.ninja
	ninja -C $(BUILD) sallyport

$(BUILD)/build.ninja: | deps
	meson setup $(BUILD) --buildtype=debugoptimized -Db_lto=true

deps:
	@tools/install-deps build

run: all
	tools/demo $(BUILD)/sallyport

test:
	@tools/install-deps build test
	/usr/bin/python3 tools/test.py

# A browser is large: by itself, and not in CI.
browser-test: all
	@tools/install-deps test browser
	SALLYPORT=$(CURDIR)/$(BUILD)/sallyport /usr/bin/python3 -m pytest -q tests/e2e/test_browser.py

bench: all
	@tools/install-deps bench
	/usr/bin/python3 tools/bench/bench.py

fuzz:
	@tools/install-deps build fuzz
	tools/fuzz

# The simulated worker alone: SEEDS random scenarios, or the one of SEED with all that happened.
SEEDS := 2000
sim: $(BUILD)/build.ninja
	ninja -C $(BUILD) tests/sim/sim
	$(BUILD)/tests/sim/sim $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

soak: all
	@tools/install-deps test bench soak
	/usr/bin/python3 tools/soak.py
	/usr/bin/python3 tools/testssl.py

fmt:
	git ls-files '*.c' '*.h' | xargs clang-format -i

lint: all
	@tools/install-deps test
	meson test -C $(BUILD) --suite lint

docs: all
	tools/print-docs $(BUILD)/sallyport

# DESTDIR=FOLDER puts everything below FOLDER; another prefix than /usr/local is meson's business:
# meson configure build/release -Dprefix=/usr
install: all
	meson install -C $(BUILD) --no-rebuild

# What the last `make install` of this folder has installed.
uninstall:
	ninja -C $(BUILD) uninstall

clean:
	rm -rf build
