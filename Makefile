# `make demo` and `make test` do all the set-up themselves, on Debian and Ubuntu, as root or with sudo.

PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
CARGO_TARGET_DIR ?= target
TEST_ARGS ?=
FUZZ_SECONDS ?= 60
CASES ?=

# rustup's folder comes before the distribution's: a shell that is older than it does not know it. A cargo elsewhere is
# somebody's choice.
ifneq ($(filter /usr/bin/cargo,$(or $(shell command -v cargo || true),/usr/bin/cargo)),)
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
endif

.PHONY: help demo test test-all conformance twins layouts old-kernel boot first-boot netboot-test living fresh kills reproducible \
	fuzz build lint bench install clean setup-demo setup-test setup-layouts setup-old-kernel setup-boot setup-first-boot \
	setup-netboot

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | expand -t 13

demo: setup-demo build ## set up, make or reuse a base image, and provision it to mypi.img
	@scripts/demo.sh

test: setup-test ## set up, lint, and run every test but the long ones; TEST_ARGS="..." goes to the test runner
	@scripts/test.sh $(TEST_ARGS)

test-all: setup-test ## the same with the tests that take long
	@PICHROOT_TEST_ALL=1 scripts/test.sh $(TEST_ARGS)

conformance: setup-test build ## Ansible's own tests on an image, and one playbook in two ways; takes long
	@scripts/conformance.sh

twins: setup-test build ## the whole corpus, and one long playbook with twins and under qemu alone; takes an hour
	@export PICHROOT_TEST_IMAGE="$$(scripts/link-base-image.sh)" PATH="$(CURDIR)/.venv/bin:$$PATH"; \
		scripts/as-root.sh tests/twins/corpus.py && scripts/as-root.sh tests/twins/exact.py

layouts: setup-layouts build ## a Debian in each class of layouts, provisioned; makes the tables of docs/layouts.md; takes half an hour
	@PATH="$(CURDIR)/.venv/bin:$$PATH" scripts/as-root.sh tests/layouts/run.py --docs

old-kernel: setup-old-kernel build ## exec on Linux 6.1, which needs the host's own binfmt entry, in a virtual machine; takes minutes
	@PICHROOT_TEST_IMAGE="$$(scripts/link-base-image.sh)" PATH="$(CURDIR)/.venv/bin:$$PATH" \
		scripts/as-root.sh tests/old-kernel/run.sh

boot: setup-boot build ## pichroot boot of a real image: to its prompt, over SSH, by UEFI, with a reboot, and what fails; ten minutes
	@PICHROOT_TEST_IMAGE="$$(scripts/link-base-image.sh)" PATH="$(CURDIR)/.venv/bin:$$PATH" \
		scripts/as-root.sh tests/boot/run.sh

first-boot: setup-first-boot build ## boot an image in a virtual machine, which does what was put off to then; takes minutes
	@PICHROOT_TEST_IMAGE="$$(scripts/link-base-image.sh)" PATH="$(CURDIR)/.venv/bin:$$PATH" \
		scripts/as-root.sh tests/first-boot/run.sh

netboot-test: setup-netboot build ## boot machines from the network, with real servers; CASES="..." chooses; takes half an hour
	@image="$$(scripts/link-base-image.sh)"; PATH="$(CURDIR)/.venv/bin:$$PATH" scripts/as-root.sh \
		tests/netboot/run.py --pichroot $(CARGO_TARGET_DIR)/release/pichroot --image "$$image" $(CASES)

living: setup-test build ## ten plays of the kinds that roles for living machines are, twice each; takes minutes
	@PICHROOT_TEST_IMAGE="$$(scripts/link-base-image.sh)" PATH="$(CURDIR)/.venv/bin:$$PATH" \
		scripts/as-root.sh tests/living/run.py

fresh: setup-demo ## make demo, and a part of make test, on a Debian 12 and a Debian 13 without Rust; takes half an hour
	@scripts/as-root.sh tests/fresh/run.sh bookworm trixie

kills: ## kill -9 of the supervisor 500 times, any process of a run 200 times, a publish 50 times; takes an hour
	@PICHROOT_TEST_KILLS="500 200" scripts/test.sh --test e2e --test cli kills:: is_killed_leaves

reproducible: setup-test build ## build one input twice, and list what differs
	@image="$$(scripts/link-base-image.sh)"; PATH="$(CURDIR)/.venv/bin:$$PATH" scripts/as-root.sh \
		tests/reproducible/run.py --pichroot $(CARGO_TARGET_DIR)/release/pichroot --image "$$image"

fuzz: setup-test ## a minute for each reader of a stranger's bytes; FUZZ_SECONDS=600 for more
	@PICHROOT_FUZZ_SECONDS="$(FUZZ_SECONDS)" scripts/test.sh --lib fuzz_

build: ## the release binary
	$(CARGO) build --locked --release

lint: setup-test ## rustfmt, clippy, shellcheck, ruff, ansible-lint
	@scripts/lint.sh

bench: setup-test build ## the measurements behind the README's numbers
	@PICHROOT_TEST_IMAGE="$$(scripts/link-base-image.sh)" PATH="$(CURDIR)/.venv/bin:$$PATH" \
		scripts/as-root.sh benches/run.py

# Builds as the caller and copies as whoever may write to PREFIX: `make build && sudo make install`.
install: ## the binary, which is all there is, below PREFIX (/usr/local), for packagers below DESTDIR
	@test -x $(CARGO_TARGET_DIR)/release/pichroot || { \
		echo "error: $(CARGO_TARGET_DIR)/release/pichroot does not exist" >&2; \
		echo "hint: run make build first" >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin
	# Removed first: it may be the demo's link into the checkout.
	rm -f $(DESTDIR)$(PREFIX)/bin/pichroot
	install -m 755 $(CARGO_TARGET_DIR)/release/pichroot $(DESTDIR)$(PREFIX)/bin/pichroot

# The base image stays: it is outside the tree, and costs minutes. Tests leave files of root.
clean: ## what was built here, the virtual environment included
	@scripts/as-root.sh rm -rf $(CARGO_TARGET_DIR) .venv .venv.lock .cache .ansible

setup-demo:
	@scripts/install-deps.sh demo
	@scripts/ansible-venv.sh run

setup-test:
	@scripts/install-deps.sh test
	@scripts/ansible-venv.sh test

setup-layouts:
	@scripts/install-deps.sh layouts
	@scripts/ansible-venv.sh test

setup-old-kernel:
	@scripts/install-deps.sh old-kernel
	@scripts/ansible-venv.sh test

setup-boot:
	@scripts/install-deps.sh boot
	@scripts/ansible-venv.sh test

setup-first-boot:
	@scripts/install-deps.sh first-boot
	@scripts/ansible-venv.sh test

setup-netboot:
	@scripts/install-deps.sh netboot
	@scripts/ansible-venv.sh test
