"""What a worker makes of a backlog of photographs, beside what else would cut them out.

The cutout pool's worker as production runs it, on Apache Kafka: fetch, decode, two predictions of the network, matting,
PNG, store, and no two pictures the same. Beside it, with as many threads: a loop written by hand about the same parts,
without Kafka; rembg with the same weights, plain (one prediction, no matting) and with its matting; the same network on
the same engine behind LitServe and behind mosec, asked over HTTP by a plain consumer that does the rest as the worker
does.

The contenders take turns, each started anew and warm, and a ratio is the median of those of the rounds, for others use
this machine too. CPU is that of all processes of a contender while it works. What comes out is compared: worker, loop
and servers must write the same bytes, and of rembg the alpha is held against the rendered truth.
"""

import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import mean, median

import cv2
import numpy as np
import structlog

from gpu_workers.engines import Tensor
from gpu_workers.metering import Prices
from gpu_workers.operations.cutout import cutout
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools import memory
from gpu_workers.quality import mattes
from gpu_workers.results import Results
from gpu_workers.serving.batching import Batcher
from gpu_workers.serving.serving import Network, Serving
from gpu_workers.worker import Worker
from loadtest.benchmarks import quality
from loadtest.benchmarks.worker_backlog import (
    CACHE,
    ROOT,
    THREADS,
    Bench,
    Drained,
    Process,
    family,
)
from loadtest.benchmarks.worker_contenders import MODEL
from schemas import topics
from schemas.releases import ModelSplit
from streams.blobs import Blobs, open_store
from streams.consumer import groups
from streams.consumer.clients import AcknowledgedProducer, make_topics, open_member
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import RetryPolicy
from streams.consumer.loop import ConsumerLoop
from streams.consumer.reader import OpenConsumer
from streams.consumer.reading import has_record
from streams.consumer.work import Executor
from streams.embedded import choose_broker
from streams.runtime.settings import Settings

OTHERS = str(ROOT / ".venv-worker" / "bin" / "python")
CONTENDER = ["-m", "loadtest.benchmarks.worker_contenders"]
ROUNDS = 3
WARM_PICTURES = 4
MATTED_EVERY = 5  # rembg's matting takes seconds: of every fifth photograph
TOPICS = {"litserve": topics.TASKS["compose", "standard"].name, "mosec": topics.TASKS["compose", "bulk"].name}
PREDICTION_S = 0.4  # of the stand-in engine: longer than two cores take for the rest of a picture
TARGETS = {
    "worker_to_hand": ("ge", 0.95),
    "worker_to_rembg": ("ge", 2),
    "worker_to_rembg_matting": ("ge", 2),
    "worker_to_litserve": ("ge", 1.2),
    "worker_to_mosec": ("ge", 1.2),
    "engine_busy_share": ("ge", 0.95),
}


Drain = Callable[[Sequence[Path]], None]
Ready = tuple[Drain, list[Process]]


@contextmanager
def _worker(bench: Bench, target: Path) -> Iterator[Ready]:
    blobs = bench.folder / "blobs" / target.name
    command = [sys.executable, "-m", "streams.commands.cli", "run", "worker", "--pool", "cutout"]
    since = bench.ends()
    with bench.process(command, {"PACKSHOT_BLOBS_URL": f"file://{blobs}"}) as process:
        yield partial(bench.drain, topics.TASKS["cutout", "standard"].name, [process]), [process]
    store = Blobs(open_store(f"file://{blobs}"))
    for event in bench.completed(since):
        (target / f"{event.task.sku}.png").write_bytes(store.get(event.outputs[0].digest))


@contextmanager
def _served(server: str, bench: Bench, target: Path) -> Iterator[Ready]:
    port = _free_port()
    # On a busy machine a prediction takes longer than mosec's time-out of 3 s.
    address = {"MOSEC_ADDRESS": "127.0.0.1", "MOSEC_PORT": str(port), "MOSEC_TIMEOUT": "60000"}
    address |= {"MOSEC_LOG_LEVEL": "error", "PYTHONWARNINGS": "ignore"}
    client = ["client", str(THREADS), server, str(port), TOPICS[server], str(target)]
    with bench.process([OTHERS, "-m", "loadtest.benchmarks.worker_servers", server, str(port)], address) as serving:
        _await_port(port, serving)
        with bench.process([sys.executable, *CONTENDER, *client]) as reading:
            yield partial(bench.drain, TOPICS[server], [serving, reading]), [serving, reading]


@contextmanager
def _piped(python: str, name: str, bench: Bench, target: Path) -> Iterator[Ready]:
    command = [python, *CONTENDER, name, str(THREADS)]
    with bench.process(command, {"U2NET_HOME": str(CACHE / "weights")}, piped=True) as process:

        def drain(pictures: Sequence[Path]) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            pairs = [(str(picture), str(target / f"{picture.stem}.png")) for picture in pictures]
            print(json.dumps(pairs), file=process.stdin, flush=True)
            assert "done\n" in iter(process.stdout.readline, ""), f"{name} has ended"  # a library may say more

        yield drain, [process]


CONTENDERS: dict[str, Callable[[Bench, Path], AbstractContextManager[Ready]]] = {
    "worker": _worker,
    "hand": partial(_piped, sys.executable, "hand"),
    "litserve": partial(_served, "litserve"),
    "mosec": partial(_served, "mosec"),
    "rembg": partial(_piped, OTHERS, "rembg"),
    "rembg-matting": partial(_piped, OTHERS, "rembg-matting"),
}
SAME_PIXELS = ("worker", "hand", "litserve", "mosec")


def main(names: Sequence[str]) -> None:
    """Prints the rounds, and the figures as JSON in its last line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = choose_broker(folder, CACHE, "kafka")
        broker.start()
        try:
            settings = Settings(
                kafka_bootstrap_servers=broker.bootstrap_servers, data_folder=folder, source_file_roots=["/"]
            )
            make_topics(settings)
            bench = Bench(settings, folder)
            bench.await_topics()
            warm = _cropped(folder / "warm", 8)[:WARM_PICTURES]
            pictures = [*quality.PHOTOGRAPHS, *_cropped(folder / "cropped", 4)]
            rounds = [
                {each: _round(bench, each, folder / f"{each}-{number}", warm, pictures) for each in names or CONTENDERS}
                for number in range(ROUNDS)
            ]
            figures = compared(rounds) | _edges(folder, names or list(CONTENDERS)) | _busy(bench)
        finally:
            broker.stop()
    print(json.dumps({"figures": figures, "targets": TARGETS}))


def _round(bench: Bench, name: str, target: Path, warm: Sequence[Path], pictures: Sequence[Path]) -> Drained:
    """One contender's turn."""
    target.mkdir()
    if name == "rembg-matting":
        pictures = quality.PHOTOGRAPHS[::MATTED_EVERY]
    with CONTENDERS[name](bench, target) as (drain, processes):
        drain(warm)
        began_s, before_s = time.monotonic(), _cpu_s(processes)
        drain(pictures)
        drained = Drained(len(pictures), time.monotonic() - began_s, _cpu_s(processes) - before_s)
    print(f"{name}: {drained.per_s:.2f} pictures/s, {drained.cpu_s_each:.2f} s of CPU a picture", flush=True)
    return drained


def compared(rounds: Sequence[Mapping[str, Drained]]) -> dict[str, float]:
    """Medians over the rounds, and of their ratios."""
    figures = {}
    for name in rounds[0]:
        key = name.replace("-", "_")
        figures[f"{key}_per_s"] = round(median(each[name].per_s for each in rounds), 2)
        figures[f"{key}_cpu_s"] = round(median(each[name].cpu_s_each for each in rounds), 3)
        if name != "worker":
            ratio = median(each["worker"].per_s / each[name].per_s for each in rounds)
            figures[f"worker_to_{key}"] = round(ratio, 2)
            cpu = median(each[name].cpu_s_each / each["worker"].cpu_s_each for each in rounds)
            figures[f"worker_to_{key}_per_cpu_s"] = round(cpu, 2)
    return figures


def _edges(folder: Path, names: Sequence[str]) -> dict[str, float]:
    """How far off each one's edges are, and that those write the same that should."""
    found: dict[str, list[float]] = {name: [] for name in names if name not in SAME_PIXELS[1:]}
    for photograph in quality.PHOTOGRAPHS:
        files = {name: folder / f"{name}-0" / f"{photograph.stem}.png" for name in names}
        same = {files[name].read_bytes() for name in SAME_PIXELS if name in names}
        assert len(same) == 1, f"{photograph.stem}: the cutouts differ"
        for name in found:
            if files[name].exists():
                error = mattes.band_error(quality.alpha_of(files[name].read_bytes()), quality.truth(photograph.stem))
                found[name].append(error)
    figures = {f"{name.replace('-', '_')}_band_error": round(mean(errors), 4) for name, errors in found.items()}
    figures["worker_band_error_where_rembg_matted"] = round(mean(found["worker"][::MATTED_EVERY]), 4)
    return figures


class Slow:
    """An engine that takes time and no processor: the mask is that of something round."""

    name, fingerprint, input_shape, max_batch, lanes = "stand-in", "stand-in", (3, 320, 320), 8, 1

    def infer(self, batch: Tensor) -> Tensor:
        """See Engine.infer."""
        time.sleep(PREDICTION_S * len(batch))
        y, x = np.mgrid[-1:1:320j, -1:1:320j]
        disc = np.clip((0.7 - np.hypot(x, y)) * 40, 0, 1).astype(np.float32)
        return np.repeat(disc[None, None], len(batch), axis=0)

    def close(self) -> None:
        """See Engine.close."""


def _busy(bench: Bench) -> dict[str, float]:
    """The share of the time that an engine works which is slower than all the rest, in a real worker."""
    topic = topics.TASKS["cutout", "standard"].name
    blobs = Blobs(open_store(f"file://{bench.folder / 'blobs' / 'busy'}"))
    engine = Slow()
    batcher = Batcher(engine, max_batch=8, max_wait_ms=bench.settings.batch_wait_ms)
    cutout.warm_up()
    serving = Serving(lambda: ModelSplit((MODEL.ref,)), lambda _ref: Network(MODEL, engine, batcher))
    work = cutout_pool.Cutout(bench.settings, blobs, None, serving, memory.memory_budget(bench.settings)).work
    handler = Worker("cutout", work, Results(blobs), bench.database, Prices())
    producer = AcknowledgedProducer(bench.settings)
    executor = Executor("bench", handler, producer, RetryPolicy(()), Isolation("bench", MemoryTrials()), THREADS)
    loop = ConsumerLoop(
        "bench", {"standard": (_open(bench.settings), topic)}, executor, partial(has_record, bench.settings)
    )
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=[stop])
    thread.start()
    bench.say(topic, quality.PHOTOGRAPHS)
    wanted = batcher.counters.items + 2 * THREADS
    while batcher.counters.items < wanted:
        time.sleep(0.05)
    busy_s, began_s = batcher.counters.busy_seconds, time.monotonic()
    while batcher.counters.items < 2 * len(quality.PHOTOGRAPHS) - 2 * THREADS:
        time.sleep(0.01)
    share = (batcher.counters.busy_seconds - busy_s) / (time.monotonic() - began_s)
    stop.set()
    thread.join()
    serving.close()
    producer.close()
    return {"engine_busy_share": round(share, 3)}


def _open(settings: Settings) -> OpenConsumer:
    return lambda on_commit: open_member(settings, groups.worker("cutout", "standard"), on_commit=on_commit)


def _cropped(folder: Path, by_px: int) -> list[Path]:
    """The photographs as other pictures."""
    folder.mkdir()
    for photograph in quality.PHOTOGRAPHS:
        picture = cv2.imread(str(photograph))
        assert picture is not None
        cv2.imwrite(str(folder / f"{folder.name}-{photograph.name}"), picture[by_px:, by_px:])
    return sorted(folder.iterdir())


def _cpu_s(processes: Sequence[Process]) -> float:
    """The processor time of processes and of those that they started."""
    every = [each for process in processes for each in family(process.pid)]
    return sum(sum(each.cpu_times()[:2]) for each in every)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int, server: Process) -> None:
    """Waits until the server listens; the warm-up waits for the rest."""
    while True:
        assert server.poll() is None, "the server has ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1:])
