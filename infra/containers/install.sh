#!/bin/sh
# What an image has, laid into /opt/packshot while it is built: libraries (pinned by hashes), then packshot with the
# weights and compiled kernels that a cache begins with; tensorrt for the target cuda.
set -eu
home=/opt/packshot
python=$home/venv/bin/python
uv=$home/venv/bin/uv
if [ -d /wheels ]; then export UV_CACHE_DIR=/wheels; fi # what the builder has fetched before

libraries() {
    python3 -m venv "$home/venv"
    "$python" -m pip install --quiet --no-cache-dir --require-hashes -r infra/locks/requirements-setup.txt
    $uv pip install --python "$python" --compile-bytecode --require-hashes -r infra/locks/requirements.txt
}

packshot() {
    $uv pip install --python "$python" --compile-bytecode --no-deps --no-build-isolation .
    mkdir -p "$home/data"
    cd / # beside no checkout, as it will run
    "$python" -m gpu_workers.models.fetch "$home/cache/weights"
    NUMBA_CACHE_DIR=$home/cache/numba "$python" -c \
        "from gpu_workers.imaging import clips, lut; from gpu_workers.operations.cutout import cutout; cutout.warm_up()"
}

tensorrt() { # by name, and not by hashes: no lock has them, for they install nowhere without CUDA
    $uv pip install --python "$python" --compile-bytecode tensorrt-cu13 pycuda cuda-bindings
}

"$1"
