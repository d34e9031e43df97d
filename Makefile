# Everything sets itself up: `make demo` and `make test` work on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WEIGHTS := .cache/weights/u2netp-dynamic.onnx
MARK := $(VENV)/.installed
MARK_DEV := $(VENV)/.installed-dev
MARKS_BENCH := .venv-arroyo/.installed .venv-quix/.installed
MARK_THUMBOR := .venv-thumbor/.installed
MARK_WORKER := .venv-worker/.installed
MARK_SCHEMATHESIS := .venv-schemathesis/.installed
MARK_INFRA := .venv-infra/.installed
HELM := .cache/helm-4.3.2/helm
KERNELS := $(VENV)/.compiled
AT_ONCE := $(MAKE) --no-print-directory -j

.PHONY: help setup demo test test-long test-heavy test-infra image simulate fuzz chaos bench bench-autoscaler bench-backlog bench-batcher bench-cutout bench-desk bench-engine bench-gateway bench-pictures bench-priority bench-renditions bench-scheduler bench-start bench-streams bench-studio bench-worker calibrate-cutout calibrate-gates gallery looks screens check format schemas settings lock clean

help:  ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 26

setup: $(MARK) $(WEIGHTS) $(KERNELS)  ## The virtual environment, the weights, the matting kernels

demo:  ## The whole system over the sample catalogue; shows what came out
	@$(AT_ONCE) $(WEIGHTS) $(KERNELS)
	$(BIN)/packshot demo --catalogue loadtest/rendering/catalogue/catalogue.jsonl --campaign loadtest/rendering/catalogue/campaign.jsonl

test:  ## All tests but the long suites; three files at a time on two cores, for they wait a third of their time
	@$(AT_ONCE) $(MARK_DEV) $(WEIGHTS) $(KERNELS)
	$(BIN)/python -m pytest -m "not long and not heavy and not infra" -n 3 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 5

test-long: $(MARK_DEV) $(MARK_SCHEMATHESIS) $(WEIGHTS) $(KERNELS)  ## Kills a running system, takes its parts away, shops, browsers: an hour; CI runs some, so: FILES="tests/e2e/test_kill.py"
	$(BIN)/python -m pytest -m "long and not heavy and not infra" -n 2 --dist loadfile --no-loadscope-reorder $(FILES)

test-heavy: $(MARK_DEV) $(WEIGHTS) $(KERNELS)  ## Three brokers with TLS and rights, roles ended by signals, the worst pictures at once, a short chaos; not part of CI
	$(BIN)/python -m pytest -m heavy

test-infra: $(MARK_DEV) $(MARK_INFRA) $(HELM)  ## The image's file, the chart and the alerts, held to Kubernetes' schemas, Helm, hadolint and promtool; not part of CI
	PACKSHOT_REQUIRE_SERVERS=1 $(BIN)/python -m pytest -m "infra and not heavy"

image: $(MARK_DEV)  ## The image, built without a daemon: Debian's buildah and mmdebstrap; as root
	$(BIN)/python -m infra.containers.image

simulate: $(MARK_DEV)  ## The streaming core in 10,000 simulated courses of events; one again: SEED=17
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--count 10000)

fuzz: $(MARK_DEV) $(KERNELS)  ## Hostile records, letters and files for every role, for ten minutes; else MINUTES=1, or one course again: SEED=17
	$(BIN)/python -m tests.fuzzing $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

chaos: $(MARK_DEV) $(WEIGHTS)  ## The whole system on real servers while its parts are killed; others: SEEDS="1 2 3"
	$(BIN)/python -m loadtest.chaos $(if $(SEEDS),--seeds $(SEEDS))

bench: $(MARK_DEV)  ## Every benchmark, and what of its targets is met
	$(BIN)/python -m loadtest.benchmarks.overview

bench-autoscaler: $(MARK_DEV)  ## Deadlines missed and hours of GPUs by how workers are scaled, simulated, beside KEDA's lag, HPA and others
	$(BIN)/python -m loadtest.benchmarks.autoscaler

bench-backlog: $(MARK_DEV)  ## What a backlog of a million tasks costs a worker in memory
	$(BIN)/python -m loadtest.benchmarks.backlog

bench-batcher: $(MARK_DEV)  ## How many pictures are in time, beside the batching of Triton, mosec and fixed sizes
	$(BIN)/python -m loadtest.benchmarks.batcher

bench-cutout: $(MARK_DEV) $(MARK_WORKER) $(WEIGHTS) $(KERNELS)  ## How good cutouts are, how far their uncertainty can be trusted, beside rembg
	$(BIN)/python -m loadtest.benchmarks.cutout

calibrate-cutout: $(MARK_DEV) $(WEIGHTS) $(KERNELS)  ## Fits what a cutout's features say of its uncertainty; prints the weights
	$(BIN)/python -m loadtest.benchmarks.calibrate_cutout

bench-desk: $(MARK_DEV)  ## What a reviewer waits for who settles a hundred cases by keyboard alone, in Chromium
	$(BIN)/python -m loadtest.benchmarks.desk

calibrate-gates: $(MARK_DEV) $(WEIGHTS) $(KERNELS)  ## Plants faults in good pictures, and writes into loadtest/README.md which of them the gates find; PICTURES=DIR
	$(BIN)/python -m loadtest.benchmarks.calibrate_gates $(PICTURES)

bench-engine: $(MARK_DEV) $(WEIGHTS) $(KERNELS)  ## Pictures a second by engine, model and batch size, and how good the masks are
	$(BIN)/python -m loadtest.benchmarks.engine

bench-gateway: $(MARK_DEV) $(MARK_WORKER) $(WEIGHTS) $(KERNELS)  ## What a caller of the API waits for, beside the same in-process, rembg's server and LitServe
	$(BIN)/python -m loadtest.benchmarks.gateway

bench-priority: $(MARK_DEV)  ## How long urgent work waits while bulk work saturates the workers
	$(BIN)/python -m loadtest.benchmarks.priority

bench-pictures: $(MARK_DEV) $(WEIGHTS) $(KERNELS)  ## Seconds and memory of each operation on a picture, at 1, 2 and 12 MP
	$(BIN)/python -m loadtest.benchmarks.pictures

bench-renditions: $(MARK_DEV) $(MARK_THUMBOR)  ## Renditions a second of a core and their bytes at equal quality, beside Pillow and thumbor
	$(BIN)/python -m loadtest.benchmarks.renditions

bench-streams: $(MARK_DEV) $(MARKS_BENCH)  ## What an event costs in the flow, beside arroyo and Quix Streams
	$(BIN)/python -m loadtest.benchmarks.streams

bench-scheduler: $(MARK_DEV)  ## What a worker's machinery costs a task, and how busy it keeps the engine
	$(BIN)/python -m loadtest.benchmarks.scheduler

bench-start: $(MARK_DEV)  ## What a command costs before its own work, beside a Python that does nothing
	$(BIN)/python -m loadtest.benchmarks.start

bench-studio: $(MARK_DEV) $(KERNELS)  ## CPU seconds, bytes and memory of a showcase's clip of five seconds, of each motion
	$(BIN)/python -m loadtest.benchmarks.studio

bench-worker: $(MARK_DEV) $(MARK_WORKER) $(WEIGHTS) $(KERNELS)  ## A worker on a backlog, beside a loop by hand, rembg, LitServe and mosec
	$(BIN)/python -m loadtest.benchmarks.worker

gallery: $(MARK_DEV) $(WEIGHTS) $(KERNELS)  ## Every operation over the sample catalogue, as pictures; some: SHEETS="cutouts shadows"
	$(BIN)/python -m loadtest.gallery $(SHEETS)

looks: $(MARK_DEV) $(WEIGHTS) $(KERNELS)  ## All that becomes of pictures, to be looked at: FROM="FOLDER… EVENTS.jsonl…"
	$(BIN)/python -m loadtest.looks $(FROM)

screens: $(MARK_DEV)  ## A screenshot of every page of the desk, to be looked at; into another folder: TO=DIR, of some looks: LOOKS="dark tablet"
	$(BIN)/python -m tests.streams.web.screens $(or $(TO),.packshot/screens) $(LOOKS)

check: $(MARK_DEV) $(MARK_INFRA)  ## Formatter, linter, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	.venv-infra/bin/hadolint infra/containers/Containerfile

format: $(MARK_DEV)  ## Formats and mends what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schemas: $(MARK_DEV)  ## Adds the Avro schemas that changed to their history; the JSON Schema of submissions
	$(BIN)/python -m schemas.history

settings: $(MARK_DEV)  ## Writes the page of settings, infra/settings.md, anew
	$(BIN)/python -m infra.settings_page

lock: $(MARK_DEV)  ## Locks the requirements anew
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		--extra embedded --extra scaler pyproject.toml -o infra/locks/requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		--extra embedded --extra scaler --extra dev -c infra/locks/requirements.txt pyproject.toml -o infra/locks/requirements-dev.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		--extra bench-arroyo --override infra/locks/requirements-arroyo.in pyproject.toml -o infra/locks/requirements-arroyo.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		--extra bench-quix pyproject.toml -o infra/locks/requirements-quix.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		--extra bench-thumbor pyproject.toml -o infra/locks/requirements-thumbor.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		--extra bench-worker -c infra/locks/requirements.txt pyproject.toml -o infra/locks/requirements-worker.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		--extra distill -c infra/locks/requirements.txt pyproject.toml -o infra/locks/requirements-distill.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		infra/locks/requirements-setup.in -o infra/locks/requirements-setup.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		infra/locks/requirements-schemathesis.in -o infra/locks/requirements-schemathesis.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		infra/locks/requirements-infra.in -o infra/locks/requirements-infra.txt
	$(BIN)/uv pip compile --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-annotate --no-header -q \
		infra/locks/requirements-akeneo.in -o infra/locks/requirements-akeneo.txt

clean:  ## Forgets the demo's and the local system's data
	rm -rf .packshot

$(BIN)/uv: infra/locks/requirements-setup.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || \
		{ echo "packshot: $(PYTHON) is no Python 3.11, 3.12 or 3.13; name one: make PYTHON=/usr/bin/python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/locks/requirements-setup.txt
	touch $@

$(MARK): $(BIN)/uv infra/locks/requirements.txt pyproject.toml
	$(BIN)/uv pip install --compile-bytecode --require-hashes -r infra/locks/requirements.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation -C editable_mode=compat -e .
	$(BIN)/python -m compileall -q schemas streams gpu_workers
	touch $@

$(MARK_DEV): $(MARK) infra/locks/requirements-dev.txt
	$(BIN)/uv pip install --compile-bytecode --require-hashes -r infra/locks/requirements-dev.txt
	touch $@

$(KERNELS): $(MARK)
	$(BIN)/python -c "from gpu_workers.imaging import clips, lut; from gpu_workers.operations.artwork import printing; from gpu_workers.operations.cutout import cutout; from gpu_workers.operations.packshot import measures; cutout.warm_up()"
	touch $@

.venv-%/.installed: $(BIN)/uv infra/locks/requirements-%.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-$*
	$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --require-hashes -r infra/locks/requirements-$*.txt
	touch $@

$(HELM):  # by its own go.mod; some 240 CPU-seconds
	GOBIN=$(CURDIR)/$(dir $@) go install helm.sh/helm/v4/cmd/helm@v4.3.2

$(WEIGHTS): $(MARK) $(wildcard gpu_workers/models/manifests/*.yaml) gpu_workers/models/people.py
	$(BIN)/python -m gpu_workers.models.fetch $(dir $@)
	touch $@
