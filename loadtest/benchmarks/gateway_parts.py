"""What `make bench-gateway` stands on: the system's processes, pictures that nobody has seen, and callers of an API."""

import asyncio
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import aiohttp
import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

from loadtest.benchmarks import quality
from loadtest.benchmarks.worker_contenders import MODEL
from streams.facts import Connector, Connectors, Database
from streams.facts.sealing import Sealer
from streams.webhooks.signing import headers, new_secret

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
OTHERS = ROOT / ".venv-worker" / "bin"
READY_S = 300.0
SIDE_PX = 960  # of the longer one: less than a megapixel, whatever the shape
CROPPED_PX_MAX = 24
JPEG_QUALITY = 92
SOURCES = "sources"
SHOP = "bench"

Pixels = NDArray[np.uint8]
Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Called:
    """How a call ended, and how long after it was due."""

    status: int
    took_s: float


class Photographs:
    """JPEG files of the sample photographs at less than a megapixel, each another picture than those before."""

    def __init__(self) -> None:
        crops = itertools.product(range(CROPPED_PX_MAX), range(CROPPED_PX_MAX), quality.PHOTOGRAPHS)
        self._each = iter(crops)
        self._read: dict[Path, Pixels] = {}
        self._ready: deque[bytes] = deque()

    def prepare(self, count: int) -> None:
        """Makes so many before they are asked for: what that takes is no caller's wait."""
        while len(self._ready) < count:
            self._ready.append(self._encoded())

    def new(self) -> bytes:
        """The next one's file."""
        return self._ready.popleft() if self._ready else self._encoded()

    def _encoded(self) -> bytes:
        left, top, file = next(self._each)
        encoded, data = cv2.imencode(".jpg", self._pixels(file)[top:, left:], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        assert encoded
        return data.tobytes()

    def _pixels(self, file: Path) -> Pixels:
        if file not in self._read:
            whole = cv2.imread(str(file))
            assert whole is not None
            scale = SIDE_PX / max(whole.shape[:2])
            self._read[file] = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return self._read[file]


class Api:
    """A gateway, as its callers see it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self.session, self.url = session, url
        self.headers = {"Authorization": f"Bearer {key}"}

    async def cutout(self, photograph: bytes, wait_s: int, within_s: int, due_s: float | None = None) -> Called:
        """Asks for a cutout, which is due since `due_s` (time.monotonic()), or now."""
        began_s = time.monotonic() if due_s is None else due_s
        wishes = {"Content-Type": "image/jpeg", "Prefer": f"wait={wait_s}", "Cancel-After": str(within_s)}
        async with self.session.post(
            f"{self.url}/v1/cutouts", data=photograph, headers=self.headers | wishes
        ) as answer:
            await answer.read()
            return Called(answer.status, time.monotonic() - began_s)


class Hooks:
    """A shop's hooks, each about another product, to a gateway that is started after this is made."""

    def __init__(self, url: str, database: Database) -> None:
        self._url, self._numbers = f"{url}/hooks/{SHOP}", itertools.count()
        self._secret = new_secret("v1")
        secrets = {"username": "bench", "password": "bench", "hook": self._secret}
        shop = Connector(SHOP, "vendure", "bench", "https://shop.example/admin-api", ("web",), {}, secrets)
        Connectors(database, Sealer()).add(shop)

    async def send(self, session: aiohttp.ClientSession, due_s: float) -> Called:
        """One hook, which is due since `due_s` (time.monotonic())."""
        number = str(next(self._numbers))
        body = json.dumps({"type": "product.changed", "data": {"id": number}}).encode()
        signed = headers(number, int(time.time()), body, [self._secret])
        async with session.post(self._url, data=body, headers=signed) as answer:
            await answer.read()
            return Called(answer.status, time.monotonic() - due_s)


async def at_random(call: Callable[[float], Awaitable[Called]], per_s: float, for_s: float) -> list[Called]:
    """Calls that come at random, `per_s` on the mean, whatever becomes of those before."""
    chance, running = random.Random(7), []
    due_s = time.monotonic()
    end_s = due_s + for_s
    while due_s < end_s:
        await asyncio.sleep(max(due_s - time.monotonic(), 0))
        running.append(asyncio.ensure_future(call(due_s)))
        due_s += chance.expovariate(per_s)
    return list(await asyncio.gather(*running))


async def one_after_another(call: Callable[[], Awaitable[Called]], count: int) -> list[Called]:
    """So many calls, each when the one before has ended."""
    return [await call() for _ in range(count)]


def percentile_ms(calls: Sequence[Called], percent: int) -> float:
    """The time below which so many of the calls that were answered well ended, in ms."""
    took = [each.took_s for each in calls if each.status == 200]
    assert len(took) > 1, f"of {len(calls)} calls {len(took)} were answered: {sorted({each.status for each in calls})}"
    return round(quantiles(took, n=100, method="inclusive")[percent - 1] * 1000, 1)


class System:
    """The processes of one system. What it runs is ended with the block."""

    def __init__(self, folder: Path, bootstrap_servers: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._stack = ExitStack()
        self._environment = os.environ | {
            "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "PACKSHOT_DATA_FOLDER": str(folder),
            "PACKSHOT_CACHE_FOLDER": str(CACHE),
            "PACKSHOT_SOURCE_FILE_ROOTS": str(folder / SOURCES),
            "PACKSHOT_CUTOUT_MODEL": MODEL.ref,
            "PACKSHOT_GATEWAY_PORT": str(self.port),
            "PACKSHOT_GATEWAY_KEY_PER_MINUTE": "0",
            "PACKSHOT_GATEWAY_TENANT_PER_MINUTE": "0",
            "PACKSHOT_GATEWAY_KEY_MEGAPIXELS_PER_MINUTE": "0",
            "PACKSHOT_GATEWAY_TENANT_MEGAPIXELS_PER_MINUTE": "0",
            "PACKSHOT_GATEWAY_KEY_AT_WORK": "0",
            "PACKSHOT_GATEWAY_TENANT_AT_WORK": "0",
            "PACKSHOT_LOG_LEVEL": "warning",
        }

    def __enter__(self) -> "System":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, *role: str) -> Process:
        """Starts a role."""
        command = [sys.executable, "-m", "streams.commands.cli", "run", *role]
        return self._stack.enter_context(process(command, self._environment))

    def key(self) -> str:
        """A key of the tenant of the bench."""
        command = [
            sys.executable,
            "-m",
            "streams.commands.cli",
            "keys",
            "create",
            "bench",
            "--tenant",
            "bench",
            "--json",
        ]
        done = subprocess.run(command, env=self._environment, capture_output=True, check=True)
        return str(json.loads(done.stdout)["key"])


@contextmanager
def process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Process]:
    """A process, and those that it starts, ended with the block."""
    started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield started
    finally:
        with suppress(psutil.NoSuchProcess):  # it has ended by itself, and whoever waited for it says so
            _end(psutil.Process(started.pid))
        started.wait()


def _end(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(family, timeout=60)
    for each in left:
        with suppress(psutil.NoSuchProcess):
            each.kill()


@contextmanager
def rembg_server() -> Iterator[str]:
    """rembg's own server with the same weights; its address for a cutout."""
    port = free_port()
    command = [str(OTHERS / "rembg"), "s", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with process(command, os.environ | {"U2NET_HOME": str(CACHE / "weights"), "PYTHONWARNINGS": "ignore"}) as started:
        await_port(port, started)
        yield f"http://127.0.0.1:{port}/api/remove"


@contextmanager
def litserve_server() -> Iterator[int]:
    """The network behind LitServe; its port."""
    port = free_port()
    command = [str(OTHERS / "python"), "-m", "loadtest.benchmarks.worker_servers", "litserve", str(port)]
    with process(command, os.environ | {"PYTHONWARNINGS": "ignore"}) as started:
        await_port(port, started)
        yield port


def await_port(port: int, server: Process) -> None:
    """Waits until a server listens."""
    give_up_s = time.monotonic() + READY_S
    while True:
        assert server.poll() is None, "a server has ended"
        assert time.monotonic() < give_up_s, "a server does not listen"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
