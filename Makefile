# make demo: see it work.  make test: prove that it does.  Both do their own set-up.

PYTHON ?= python3
PIP = -m pip --disable-pip-version-check --quiet install
DEVICE := .venv-device
DEV := .venv
PICAMERA_ROOT ?= $(HOME)/.cache/dermascope/picamera-root
VIRTUAL := tests/device/capture/virtual

# A worker may take 2 GB of memory. Whole files go to one, so that what they share is made once;
# the slowest come first.
WORKERS ?= 2
PYTEST = $(DEV)/bin/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# What make test-screen and make test-interop run, which install what they need.
NOT_INSTALLED := $(addprefix --ignore tests/end_to_end/test_,instrument.py judgement.py consultation.py interop.py)

# What make test-image starts, the longest first: two machines at once, of which each starts slower.
STARTED := $(addprefix tests/image/test_,update.py power_cuts.py data_partition.py models.py boot.py tryboot.py)

# Else every start of the program in a test would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help:
	@echo "make demo    frames through the shipped model, on a screen or into demo/*.png"
	@echo "make test    every test but the longer suites below; WORKERS=1 for one at a time"
	@echo "make test-device  those of the device, which need no TensorFlow; test-screen shows it whole"
	@echo "make test-build  those of the build host"
	@echo "make coverage  every test, and the lines and branches that none reaches"
	@echo "make test-picamera  the camera's tests on real picamera2, in a Debian 13 root (as root)"
	@echo "make test-screen  the whole program on a screen that nobody sees (installs it, as root)"
	@echo "make test-kill  10,000 kills of the program while it changes its records; COUNT=1000 for fewer"
	@echo "make test-interop  against DCMTK, Orthanc and a FHIR server (installs them, as root)"
	@echo "make image   an image that a card is flashed with (as root; the first takes most of an hour)"
	@echo "make test-image  starts the very image in an emulated machine, and cuts its power (as root)"
	@echo "make test-arm64  the program and its models on an emulated aarch64 (as root)"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   how fast, as ratios in one run"
	@echo "make bench-live  ten minutes of the live loop: frames, memory, latency"
	@echo "make fuzz    damaged files, manifests, settings and records, hostile servers, kills, disks"
	@echo "             (the last as root); 100,000 files, of the rest a share; COUNT=1000 for fewer"
	@echo "make bench-build  the training input pipeline against a bare Keras fit"
	@echo "make messages  renew the screen's catalogues from the code, and compile them"
	@echo "make regulatory  renew what is generated of docs/regulatory, after make lock or a new model"
	@echo "make lock    renew the locked packages: requirements/*.txt and the image's hardware.txt"

demo: $(DEVICE)/.ready
	$(DEVICE)/bin/dermascope demo --out demo

test: $(DEV)/.ready
	$(PYTEST) tests/build_host tests/end_to_end tests/device tests/fuzz $(NOT_INSTALLED)

test-device: $(DEV)/.ready
	$(PYTEST) tests/device tests/fuzz

test-build: $(DEV)/.ready
	$(PYTEST) tests/build_host tests/end_to_end $(NOT_INSTALLED)

# Prints what was killed; another SEED kills elsewhere.
test-kill: $(DEV)/.ready
	$(DEV)/bin/python -m tests.device.records.kill --count $(or $(COUNT),10000) --seed $(or $(SEED),1)

coverage: $(DEV)/.ready
	$(PYTEST) --cov --cov-report html:build/coverage --cov-report term:skip-covered \
	    tests/end_to_end tests/build_host tests/device tests/fuzz

test-picamera: $(PICAMERA_ROOT)/.ready
	$(VIRTUAL)/run.sh $(PICAMERA_ROOT)

test-screen: $(DEV)/.ready
	apt-get update -qq
	apt-get install -y -qq xvfb xdotool imagemagick
	$(DEV)/bin/pytest --numprocesses $(WORKERS) \
	    $(addprefix tests/end_to_end/test_,instrument.py judgement.py consultation.py)

test-interop: $(DEV)/.ready
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq dcmtk dicom3tools orthanc poppler-utils npm
	$(DEV)/bin/pytest tests/end_to_end/test_interop.py

# The rest of what it needs it makes itself, in ~/.cache/dermascope: Debian 13's tools, whatever the
# system is.
image-tools:
	@[ "$$(id -u)" = 0 ] || { echo "images are made as root: sudo make image" >&2; exit 1; }
	@command -v mmdebstrap > /dev/null || { apt-get update -qq; apt-get install -y -qq mmdebstrap; }

image: $(DEV)/.ready image-tools
	$(DEV)/bin/dermascope-build image $(if $(CONFIG),--config $(CONFIG))

# CUTS=50 for a night; pictures of the screen are in build/image/screens.
test-image: $(DEV)/.ready image-tools
	$(DEV)/bin/dermascope-build image --raw
	DERMASCOPE_CUTS=$(or $(CUTS),5) $(PYTEST) --timeout 14400 $(STARTED)

test-arm64: $(DEV)/.ready image-tools
	$(DEV)/bin/dermascope-build image --raw
	$(DEV)/bin/pytest tests/image/test_arm64.py

lint: $(DEV)/.ready
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

bench: $(DEV)/.ready
	$(DEV)/bin/python -m tests.bench

# MINUTES=2 for less.
bench-live: $(DEV)/.ready
	SDL_VIDEODRIVER=dummy $(DEV)/bin/python -m tests.bench.live --minutes $(or $(MINUTES),10)

# Prints the tables of docs/robustness.md.
fuzz: $(DEV)/.ready
	$(DEV)/bin/python -m tests.fuzz --count $(or $(COUNT),100000) $(if $(SEED),--seed $(SEED))

bench-build: $(DEV)/.ready
	$(DEV)/bin/python -m tests.bench.build

# Fill in what is new in device/locale/*/LC_MESSAGES/dermascope.po, then run it again.
messages: $(DEV)/.ready
	@mkdir -p build
	$(DEV)/bin/pybabel -q extract --keywords "translate translatable SourceError UnexpectedSourceError RecordError ScreenError BundleError UntrustedError" --no-location --sort-output \
	    --project dermascope --output-file build/dermascope.pot device
	$(DEV)/bin/pybabel -q update --domain dermascope --input-file build/dermascope.pot \
	    --output-dir device/locale --no-fuzzy-matching --ignore-obsolete \
	    --ignore-pot-creation-date
	$(DEV)/bin/pybabel -q compile --domain dermascope --directory device/locale

regulatory: $(DEV)/.ready
	$(DEV)/bin/dermascope-build regulatory

# Extras stay in the locked names: pip before 23.3 takes NAME[EXTRA] for a package that is not locked.
lock: $(DEV)/.ready
	$(DEV)/bin/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	    --no-annotate --no-header --group build --extra device --extra gpio --extra interop \
	    pyproject.toml --output-file requirements/device.txt
	$(DEV)/bin/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	    --no-annotate --no-header --group build --extra dev --constraint requirements/device.txt \
	    pyproject.toml --output-file requirements/dev.txt
	$(DEV)/bin/uv pip compile --upgrade --no-deps --python-version 3.13 \
	    --python-platform aarch64-manylinux_2_28 --only-binary :all: --generate-hashes \
	    --no-annotate --no-header --constraint requirements/device.txt \
	    build_host/image/hardware.in --output-file build_host/image/hardware.txt

$(DEVICE)/.ready: requirements/device.txt
	$(call environment,$(DEVICE),requirements/device.txt)

$(DEV)/.ready: requirements/dev.txt
	$(call environment,$(DEV),requirements/dev.txt)

$(PICAMERA_ROOT)/.ready: $(wildcard $(VIRTUAL)/*.* build_host/image/camera/*)
	@echo "Setting up $(PICAMERA_ROOT) (once)"
	@$(VIRTUAL)/make_root.sh $(PICAMERA_ROOT) $(PYTHON)
	@touch $@

# $(1): the environment's folder; $(2): its locked packages, every one checked by its hash.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	    { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.13 ..." >&2; exit 1; }
	@echo "Setting up $(1) (once)"
	@$(PYTHON) -m venv --clear $(1)
	@$(1)/bin/python $(PIP) --require-hashes --only-binary :all: -r $(2)
	@$(1)/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
endef

.PHONY: help demo test test-device test-build test-kill coverage test-picamera test-screen test-interop image-tools image test-image test-arm64 lint bench bench-live fuzz bench-build messages regulatory lock
