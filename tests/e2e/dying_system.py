"""The roles of a system on Apache Kafka, each a process of its own, of which some die at a named moment."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from infra.servers.process import LOOPBACK, free_port, stop
from loadtest.chaos.listener import Listener
from loadtest.chaos.workload import TENANTS
from schemas import topics
from schemas.records import AssetPublished, Event, TaskCompleted
from streams.consumer import reading
from streams.consumer.clients import make_topics
from streams.consumer.letters import event_in
from streams.consumer.registry import codec_of
from streams.embedded import choose_broker
from streams.facts import Database
from streams.runtime.settings import Settings
from streams.services.access import keys

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
TENANT = TENANTS[0]
ROLES: dict[str, tuple[str, ...]] = {
    "streams": ("streams",),
    "cutout": ("worker", "--pool", "cutout"),
    "compose": ("worker", "--pool", "compose"),
    "publisher": ("publisher",),
    "webhooks": ("webhooks",),
    "gateway": ("gateway",),
}
DYING = ("gateway", "webhooks")
READY_S = 300.0


class DyingSystem:
    """Everything that runs, in a folder, and a listening service; what was started is ended with the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listener = Listener()
        self._death = folder / "death"
        self._port = free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            broker = choose_broker(self.folder, CACHE, "kafka")
            broker.start()
            starting.callback(broker.stop)
            self._environment = self._variables(broker.bootstrap_servers)
            networks = [f"{LOOPBACK}/32"]
            fields = {"kafka_bootstrap_servers": broker.bootstrap_servers, "data_folder": self.folder}
            self.settings = Settings(**fields, webhook_private_networks=networks)
            make_topics(self.settings)
            self.key = self._key()
            starting.enter_context(self.listener).subscribe(self.settings)
            starting.callback(self._end)
            for name in ROLES:
                self.start(name)
            self.wait_until_ready()
            self._stack = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://{LOOPBACK}:{self._port}"

    def start(self, name: str) -> None:
        """Starts a role."""
        module = ["tests.e2e.dying_role"] if name in DYING else ["streams.commands.cli", "run"]
        command = [sys.executable, "-m", *module, *ROLES[name]]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)

    def die(self, moment: str) -> None:
        """Has whichever role comes to that moment first end there; see tests.e2e.dying_role."""
        self._death.write_text(moment)

    def await_death(self, name: str) -> None:
        """Waits until a role has been killed, and starts it again."""
        status = self._processes[name].wait(READY_S)
        assert status == -signal.SIGKILL, f"{name} ended with {status}{self.log(name)}"
        self.start(name)

    def kill(self, name: str) -> None:
        """SIGKILL whatever it is at, and a start anew."""
        self._processes[name].kill()
        self.await_death(name)

    def wait_until_ready(self) -> None:
        """Waits until the gateway says that it is."""
        give_up_at = time.monotonic() + READY_S
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=10):
                return
            assert time.monotonic() < give_up_at, self.log("gateway")
            time.sleep(0.2)

    def log(self, *names: str) -> str:
        """The ends of roles' logs, for the message of a failure."""
        files = [self.folder / f"{name}.log" for name in names or ROLES]
        return "".join(f"\n--- {each.name}\n{each.read_text(errors='replace')[-3000:]}" for each in files)

    def announced(self) -> Counter[tuple[str, str]]:
        """How often listing services have been told that an asset of a product is live."""
        found = self._written(topics.PUBLISHED.name)
        return Counter((each.sku, each.asset) for each in found if isinstance(each, AssetPublished))

    def made(self) -> Counter[str]:
        """How often each task was worked on, and not only found to be done."""
        found = self._written(topics.COMPLETED.name, topics.REPLIES.name)
        return Counter(each.task.task_id for each in found if isinstance(each, TaskCompleted) and not each.cached)

    def _written(self, *names: str) -> Sequence[Event]:
        codec = codec_of(self.settings)
        return [event_in(each, codec) for each in reading.read(self.settings, names)]

    def _key(self) -> str:
        database = Database(self.settings.database)
        try:
            database.create_tables()
            return keys.create(database, "shop", (TENANT,))[0]
        finally:
            database.close()

    def _variables(self, bootstrap_servers: str) -> dict[str, str]:
        return os.environ | {
            "DEATH": str(self._death),
            "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "PACKSHOT_KAFKA_SESSION_TIMEOUT_MS": "6000",
            "PACKSHOT_DATA_FOLDER": str(self.folder),
            "PACKSHOT_CACHE_FOLDER": str(CACHE),
            "PACKSHOT_SOURCE_FILE_ROOTS": str(self.folder),
            "PACKSHOT_WEBHOOK_PRIVATE_NETWORKS": f"{LOOPBACK}/32",
            "PACKSHOT_GATEWAY_PORT": str(self._port),
            "PACKSHOT_GATEWAY_KEY_PER_MINUTE": "0",
            "PACKSHOT_GATEWAY_TENANT_PER_MINUTE": "0",
        }

    def _end(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            stop(process)
