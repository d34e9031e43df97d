"""Proves the TensorRT engine on a machine that has a GPU: `python -m infra.gpu_proof`.

Never run on hardware here; a test runs it whole on the stand-in. It prints a report and, as its last line, JSON; its
exit status is 1 when a check fails.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from gpu_workers.engines import EngineOutOfMemory, Tensor
from gpu_workers.engines.onnxruntime import OnnxRuntimeEngine
from gpu_workers.engines.tensorrt import TensorRtEngine, unavailable_reason
from gpu_workers.engines.tensorrt_plan import batch_sizes
from gpu_workers.models.loader import fetch
from gpu_workers.models.manifest import Model, load_manifest, shipped_for
from gpu_workers.models.verifying import DIFFERENCE_MAX
from gpu_workers.serving.batching import Batcher

THREADS = 16
ROUNDS = 50
CHUNK_BYTES, LAST_CHUNK_BYTES = 256 << 20, 1 << 20
CHUNKS_MAX = 4096
GROWTH_MAX = 1.05
DEVICE_GROWTH_MAX_BYTES = 64 << 20
Check = Callable[["Proof"], str]


@dataclass
class Speed:
    """What one size of batch takes: milliseconds by percentile, and pictures a second at the median."""

    cuda_graphs: bool
    batch: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    pictures_per_s: float


@dataclass
class Proof:
    """What is proved of one model, and where its files lie; `checks` holds what each check found, or "FAILED: …"."""

    model: Model
    folder: Path
    minutes: float
    checks: dict[str, str] = field(default_factory=dict)
    speeds: list[Speed] = field(default_factory=list)

    def batch(self, size: int, seed: int = 0) -> Tensor:
        """float32 (size, 3, h, w)."""
        return np.random.default_rng(seed).normal(size=(size, *self.model.input.shape)).astype(np.float32)

    @property
    def sizes(self) -> list[int]:
        """Those that the engine pads to."""
        return list(batch_sizes(self.model.max_batch))

    @contextmanager
    def engine(self, *, cuda_graphs: bool = True) -> Iterator[TensorRtEngine]:
        """The engine, for as long as the block lasts."""
        opened = TensorRtEngine(self.model, self.folder, cuda_graphs=cuda_graphs)
        try:
            yield opened
        finally:
            opened.close()


def parity(proof: Proof) -> str:
    """The answers are ONNX Runtime's, at every size of batch."""
    reference = OnnxRuntimeEngine(proof.model, proof.folder)
    worst = 0.0
    with proof.engine() as engine:
        for size in proof.sizes:
            batch = proof.batch(size, seed=size)
            expected = np.concatenate([reference.infer(item[None]) for item in batch])
            worst = max(worst, float(np.abs(engine.infer(batch) - expected).max()))
    reference.close()
    allowed = DIFFERENCE_MAX[proof.model.precision]
    assert worst <= allowed, f"they differ by {worst:.2g}, {allowed:g} is allowed"
    return f"differs by {worst:.2g} at most"


def plan_is_kept(proof: Proof) -> str:
    """A second start takes the plan that the first one built."""
    before = {file: file.stat().st_mtime_ns for file in proof.folder.glob("*.plan")}
    began = time.perf_counter()
    with proof.engine():
        took_s = time.perf_counter() - began
    assert before, "no plan was kept"
    assert before == {file: file.stat().st_mtime_ns for file in proof.folder.glob("*.plan")}, "it was built anew"
    return f"ready in {took_s:.1f} s"


def speed(proof: Proof) -> str:
    """What each size of batch takes, with CUDA graphs and without."""
    for cuda_graphs in (True, False):
        with proof.engine(cuda_graphs=cuda_graphs) as engine:
            proof.speeds += [_speed(engine, proof.batch(size), cuda_graphs) for size in proof.sizes]
    return "".join(
        f"\n    {'graphs' if each.cuda_graphs else 'plain':7}{each.batch:4} at once: median {each.p50_ms:.2f} ms, "
        f"95 % {each.p95_ms:.2f}, 99 % {each.p99_ms:.2f}; {each.pictures_per_s:.0f} pictures a second"
        for each in proof.speeds
    )


def sustained(proof: Proof) -> str:
    """Many threads ask a batcher for minutes: each gets its own answer, and no memory grows, here or on the device."""
    stop_at = time.monotonic() + proof.minutes * 60
    pictures = [proof.batch(1, seed=seed) for seed in range(THREADS)]
    held: list[int] = []
    with proof.engine() as engine:
        batcher = Batcher(engine, max_batch=engine.max_batch, max_wait_ms=2)
        batcher.warm_up()
        for size in proof.sizes:  # each takes its memory when it is first asked for
            engine.infer(proof.batch(size))
        free_bytes = _device_free_bytes()
        expected = [engine.infer(picture) for picture in pictures]
        allowed = DIFFERENCE_MAX[proof.model.precision]

        def ask(number: int) -> int:
            inferred = 0
            with batcher.requester():
                while time.monotonic() < stop_at or not inferred:
                    answer = batcher.infer(pictures[number])
                    assert np.abs(answer - expected[number]).max() <= allowed, "an answer is another picture's"
                    inferred += 1
                    if number == 0:
                        held.append(psutil.Process().memory_info().rss)
            return inferred

        began = time.monotonic()
        with ThreadPoolExecutor(THREADS) as threads:
            count = sum(threads.map(ask, range(THREADS)))
        took_s = time.monotonic() - began
        batcher.close()
        taken_bytes = free_bytes - _device_free_bytes()
    growth = held[-1] / held[len(held) // 4]
    assert growth <= GROWTH_MAX, f"memory grew {growth:.2f} times"
    assert taken_bytes <= DEVICE_GROWTH_MAX_BYTES, f"the device's memory grew by {taken_bytes >> 20} MiB"
    mean_batch = batcher.counters.items / batcher.counters.batches
    return (
        f"{count} pictures, {count / took_s:.0f} a second, batches of {mean_batch:.1f}, "
        f"memory × {growth:.2f}, the device's + {taken_bytes >> 20} MiB"
    )


def memory_comes_back(proof: Proof) -> str:
    """With the device's memory full a batch may fail, but only as out of memory; then it works again."""
    cuda: Any = import_module("pycuda.driver")
    context = cuda.Device(0).retain_primary_context()
    with proof.engine() as engine, ExitStack() as stack:
        context.push()
        stack.callback(cuda.Context.pop)
        engine.infer(proof.batch(1))
        taken = _rest_of_the_device(cuda)
        engine.infer(proof.batch(1))  # what has its memory goes on
        try:
            engine.infer(proof.batch(proof.model.max_batch))
            came = "the largest batch still ran"
        except EngineOutOfMemory:
            came = "the largest batch was refused as out of memory"
        while taken:
            taken.pop().free()
        engine.infer(proof.batch(proof.model.max_batch))
    context.detach()
    return f"{came}; afterwards it ran"


def lives_beside_torch(proof: Proof) -> str:
    """PyTorch's work on the same device goes on before, beside and after the engine's."""
    if find_spec("torch") is None or not import_module("torch").cuda.is_available():
        return "not run: PyTorch with CUDA is not here"
    torch = import_module("torch")
    matrix = torch.eye(512, device="cuda")
    with proof.engine() as engine:
        side = threading.Thread(target=lambda: [engine.infer(proof.batch(1)) for _ in range(ROUNDS)])
        side.start()
        for _ in range(ROUNDS):
            matrix = matrix @ matrix
        side.join()
    assert torch.equal(matrix, torch.eye(512, device="cuda")), "PyTorch's answers changed"
    return "both gave what they should"


CHECKS: tuple[Check, ...] = (parity, plan_is_kept, speed, memory_comes_back, lives_beside_torch, sustained)


def main(arguments: list[str]) -> int:
    """Proves every model that ships, or those named; 0 when all checks hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="NAME@VERSION", help="those that ship, when none is named")
    parser.add_argument("--weights", type=Path, default=Path(".cache/weights"))
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the sustained load lasts, for each model")
    chosen = parser.parse_args(arguments)
    if reason := unavailable_reason():
        print(f"TensorRT cannot run here: {reason}", file=sys.stderr)
        return 1
    models = [load_manifest(ref) for ref in chosen.models] or list(shipped_for("cutout").values())
    proofs = [_proved(model, chosen.weights, chosen.minutes) for model in models]
    failed = [check for proof in proofs for check in proof.checks.values() if check.startswith("FAILED")]
    report = {proof.model.ref: {**proof.checks, "speed": [asdict(each) for each in proof.speeds]} for proof in proofs}
    print(json.dumps({"models": report, "failed": len(failed)}))
    return 1 if failed else 0


def _proved(model: Model, weights: Path, minutes: float) -> Proof:
    graph = fetch(model, weights)
    with tempfile.TemporaryDirectory() as folder:  # an empty one: the plan is built, and then kept
        (Path(folder) / model.file).write_bytes(graph.read_bytes())
        proof = Proof(model, Path(folder), minutes)
        print(f"\n{model.ref} ({model.precision})")
        for check in CHECKS:
            proof.checks[check.__name__] = _outcome(check, proof)
            print(f"  {check.__name__.replace('_', ' '):20} {proof.checks[check.__name__]}", flush=True)
    return proof


def _outcome(check: Check, proof: Proof) -> str:
    try:
        return check(proof)
    except Exception as error:  # whatever it is, the report says so and the others go on
        return f"FAILED: {type(error).__name__}: {error}"


def _speed(engine: TensorRtEngine, batch: Tensor, cuda_graphs: bool) -> Speed:
    times_ms = _times_ms(engine, batch)
    p50, p95, p99 = (float(np.percentile(times_ms, percent)) for percent in (50, 95, 99))
    return Speed(cuda_graphs, len(batch), p50, p95, p99, len(batch) / p50 * 1000)


def _rest_of_the_device(cuda: Any) -> list[Any]:
    """All its free memory but the last MiB: in large pieces first, or a batch would fit into what they leave."""
    taken: list[Any] = []
    num_bytes = CHUNK_BYTES
    while num_bytes >= LAST_CHUNK_BYTES:
        assert len(taken) < CHUNKS_MAX, "the device's memory has no end"
        try:
            taken.append(cuda.mem_alloc(num_bytes))
        except cuda.MemoryError:
            num_bytes //= 2
    return taken


def _device_free_bytes() -> int:
    cuda: Any = import_module("pycuda.driver")
    context = cuda.Device(0).retain_primary_context()
    context.push()
    try:
        return int(cuda.mem_get_info()[0])
    finally:
        cuda.Context.pop()
        context.detach()


def _times_ms(engine: TensorRtEngine, batch: Tensor) -> list[float]:
    for _ in range(3):  # builds nothing and captures nothing after that
        engine.infer(batch)
    times_ms = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        engine.infer(batch)
        times_ms.append((time.perf_counter() - began) * 1000)
    return times_ms


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
