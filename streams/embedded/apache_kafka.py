"""Apache Kafka as one process: KRaft, broker and controller in one, from Maven's jars."""

import base64
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from streams.embedded.process import LOOPBACK, BrokerProcess, BrokerUnavailable
from streams.runtime.private import open_private, private_folder

VERSION = "4.1.1"
JAVA_VERSION_MIN = 17
_HERE = Path(__file__).parent
_OPTIONS = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


class ApacheKafka:
    """An EmbeddedBroker on Apache Kafka; its jars are fetched once, with Maven, into `cache_folder`."""

    name = f"Apache Kafka {VERSION}"
    promises = (
        "Acknowledged messages, offsets and transactions survive a kill of the broker; "
        "with one replica they do not survive the loss of the disk."
    )

    frees_partitions = True

    def __init__(self, folder: Path, cache_folder: Path) -> None:
        self._process = BrokerProcess(self.name, folder)
        self._folder = self._process.folder
        self._cache_folder = cache_folder.absolute()
        self._jars = self._cache_folder / VERSION / "libs"
        self._port: int | None = None

    @property
    def bootstrap_servers(self) -> str:
        if self._port is None:
            raise BrokerUnavailable(f"{self.name} has not been started")
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def missing(self) -> str | None:
        """What this machine lacks to run it, None when nothing."""
        version = _java_version()
        if version is None or int(version.partition(".")[0]) < JAVA_VERSION_MIN:
            return (
                f"needs Java {JAVA_VERSION_MIN} or newer on PATH, found {version or 'none'} "
                "(Debian: apt install default-jre)"
            )
        if not self._jars.exists() and shutil.which("mvn") is None:
            return "needs Maven's mvn on PATH to fetch Kafka (Debian: apt install maven)"
        return None

    def start(self) -> None:
        if missing := self.missing():
            raise BrokerUnavailable(f"{self.name}: {missing}")
        self.fetch()
        self._start(f"-XX:SharedArchiveFile={self.archive()}")

    def _start(self, option: str) -> None:
        private_folder(self._folder)
        self._process.stop_left_over()
        self._port, controller_port = self._process.ports(2)
        properties = self._write_properties(self._port, controller_port)
        if not (self._data / "meta.properties").exists():
            # Kafka's own form of a UUID, behind a letter: one that begins with a hyphen would be taken for an option
            cluster_id = "P" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
            arguments = ["format", "-t", cluster_id, "-c", str(properties)]
            _run(self._java(option, "kafka.tools.StorageTool", *arguments), f"{self.name}: formatting {self._data}")
        self._process.start(self._java(option, "kafka.Kafka", str(properties)), self.bootstrap_servers)

    def stop(self) -> None:
        self._process.stop()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def fetch(self) -> Path:
        """The folder of its jars, fetched unless they are there. Raises BrokerUnavailable."""
        return self._once(self._jars, self._fetch_alone)

    def archive(self) -> Path:
        """Its classes as this Java has them in memory, made unless they are there; their jars have to be.

        A broker that maps them starts with 3.7 s of a core instead of 6.2 s: what counts where many processes wait for
        it on few cores. A Java that writes none, or that they do not suit, says so in the broker's log and goes
        without. Raises BrokerUnavailable.
        """
        return self._once(self._jars.parent / f"java-{_java_version()}.jsa", self._archive_alone)

    def _once(self, path: Path, make: Callable[[Path], None]) -> Path:
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(open_private(path.parent / "fetch.lock"), "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two Mavens at once may spoil each other's repository
            if not path.exists():
                make(path)
        return path

    def _fetch_alone(self, path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=path.parent) as partial:
            fetched = Path(partial) / "libs"
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
            _run(["mvn", "-B", "-q", "-f", str(_HERE / "pom.xml"), *goal], f"{self.name}: fetching it with Maven")
            os.rename(fetched, path)

    def _archive_alone(self, path: Path) -> None:
        """By a broker that is started for it, and writes them down at its end."""
        with tempfile.TemporaryDirectory(dir=path.parent) as partial:
            written = Path(partial) / path.name
            broker = ApacheKafka(Path(partial) / "broker", self._cache_folder)
            broker._start(f"-XX:ArchiveClassesAtExit={written}")
            broker.stop()
            written.touch()
            os.rename(written, path)

    def _write_properties(self, port: int, controller_port: int) -> Path:
        path = self._folder / "server.properties"
        path.write_text(_PROPERTIES.format(host=LOOPBACK, port=port, controller_port=controller_port, data=self._data))
        return path

    def _java(self, option: str, main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={_HERE / 'log4j2.properties'}"
        return ["java", *_OPTIONS, option, logging, "-cp", f"{self._jars}/*", main, *arguments]


def _java_version() -> str | None:
    java = shutil.which("java")
    if java is None:
        return None
    printed = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "([\d.]+)', printed)
    return version[1] if version else None


def _run(command: list[str], doing: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BrokerUnavailable(f"{doing} failed with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
