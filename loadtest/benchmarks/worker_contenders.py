"""What `make bench-worker` compares a worker with: each makes cutouts, as PNG files, of a backlog of pictures.

Run as `python -m loadtest.benchmarks.worker_contenders NAME THREADS`. `hand`, `rembg` and `rembg-matting` read a line
of JSON a job on standard input, `[[from, to], …]`, and answer with a line when all of it is there. `client` reads tasks
of a Kafka topic and asks a server of loadtest.benchmarks.worker_servers for each prediction of a picture: everything
but the network is done by the same code with as many threads.
"""

import http.client
import json
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from gpu_workers.engines import Tensor
from gpu_workers.models.manifest import load_manifest
from gpu_workers.operations.cutout import cutout
from loadtest.benchmarks import quality

WEIGHTS = Path(__file__).parents[2] / ".cache" / "weights"
MODEL = load_manifest("u2netp@1")
ROUTES = {"litserve": "/predict", "mosec": "/inference"}

Work = Callable[[Path, Path], object]


def hand() -> Work:
    """Our decoder, network, matting and encoder in a loop; every thread has its own request of one compiled network."""
    import openvino

    from gpu_workers.models.loader import model_path

    core = openvino.Core()
    graph = core.read_model(model_path(MODEL, WEIGHTS))
    graph.reshape([1, *MODEL.input.shape])
    network = core.compile_model(graph, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"})
    local = threading.local()

    def infer(tensors: Tensor) -> Tensor:
        if not hasattr(local, "request"):
            local.request = network.create_infer_request()
        local.request.infer({0: tensors}, share_inputs=True)
        return np.array(local.request.get_output_tensor(0).data, np.float32)

    cutout.warm_up()
    return partial(cut_out, quality.predict(MODEL, infer))


@cache
def rembg_session() -> Any:
    """The library's session, with the same weights: U2NET_HOME is where they lie."""
    from rembg import new_session

    return new_session("u2netp")


def rembg(source: Path, target: Path, *, alpha_matting: bool) -> None:
    """The library as its documentation says."""
    from rembg import remove

    target.write_bytes(remove(source.read_bytes(), session=rembg_session(), alpha_matting=alpha_matting))


def cut_out(see: cutout.MaskPredictor, source: Path, target: Path) -> None:
    """A photograph's file to a cutout's file."""
    target.write_bytes(quality.cut_out(source.read_bytes(), see))


def do_jobs(work: Work, pool: Executor) -> None:
    """Does the jobs on standard input, one after another, each with all of the pool."""
    with pool:
        for line in sys.stdin:
            sources, targets = zip(*json.loads(line), strict=True)
            for _ in pool.map(work, map(Path, sources), map(Path, targets)):
                pass
            print("done", flush=True)


def client(threads: int, server: str, port: int, topic: str, target: Path) -> None:
    """Reads tasks, asks `server` for the predictions, and commits what has ended, until SIGTERM."""
    from confluent_kafka import KafkaException, Message

    from schemas import codec, topics
    from streams.consumer.clients import AcknowledgedProducer, open_consumer
    from streams.consumer.letters import Outgoing
    from streams.runtime.settings import Settings

    cutout.warm_up()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings, local = Settings(), threading.local()
    producer = AcknowledgedProducer(settings)

    def infer(tensors: Tensor) -> Tensor:
        if not hasattr(local, "server"):
            local.server = http.client.HTTPConnection("127.0.0.1", port)
        kind = {"Content-Type": "application/octet-stream"}
        local.server.request("POST", ROUTES[server], tensors.tobytes(), kind)
        answer = local.server.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:500]
        return np.frombuffer(body, np.float32).reshape(1, *MODEL.output.shape)

    def work(message: Message) -> None:
        task: Any = codec.decode(message.value() or b"")
        source = Path(task.source.uri.removeprefix("file://"))
        cut_out(see, source, target / f"{source.stem}.png")
        producer.send([Outgoing(topics.COMPLETED.name, b"", b"", [])])

    see = quality.predict(MODEL, infer)
    consumer = open_consumer(settings, f"bench.{server}")
    consumer.subscribe([topic])
    running: list[Future[None]] = []
    with ThreadPoolExecutor(threads) as pool:
        while not stop.is_set():
            # More than there are threads, so that none waits for the poll.
            if len(running) < 2 * threads:
                for message in consumer.consume(2 * threads - len(running), 0.02):
                    running.append(pool.submit(work, message))
                    consumer.store_offsets(message)
            ended, _ = wait(running, 0.02, FIRST_COMPLETED)
            for future in ended:
                future.result()
                running.remove(future)
            if not running:
                with suppress(KafkaException):  # nothing new
                    consumer.commit(asynchronous=True)
    consumer.close()


def main(name: str, threads: str, *about: str) -> None:
    """Is the contender called `name`."""
    if name == "hand":
        do_jobs(hand(), ThreadPoolExecutor(int(threads)))
    elif name == "rembg":
        do_jobs(partial(rembg, alpha_matting=False), ThreadPoolExecutor(int(threads)))
    elif name == "rembg-matting":
        # Its matting ends the process when two threads enter it at once.
        pool = ProcessPoolExecutor(int(threads), multiprocessing.get_context("spawn"))
        do_jobs(partial(rembg, alpha_matting=True), pool)
    else:
        server, port, topic, target = about
        client(int(threads), server, int(port), topic, Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
