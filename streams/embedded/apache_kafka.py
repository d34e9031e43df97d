"""Apache Kafka as one process: KRaft, broker and controller in one, from Maven's jars."""

import base64
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from streams.embedded.process import LOOPBACK, BrokerProcess, BrokerUnavailable
from streams.private import open_private, private_folder

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

    def __init__(self, folder: Path, cache_folder: Path) -> None:
        self._process = BrokerProcess(self.name, folder)
        self._folder = self._process.folder
        self._jars = cache_folder.absolute() / VERSION / "libs"
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
        if version is None or version < JAVA_VERSION_MIN:
            found = "none" if version is None else str(version)
            return f"needs Java {JAVA_VERSION_MIN} or newer on PATH, found {found} (Debian: apt install default-jre)"
        if not self._jars.exists() and shutil.which("mvn") is None:
            return "needs Maven's mvn on PATH to fetch Kafka (Debian: apt install maven)"
        return None

    def start(self) -> None:
        if missing := self.missing():
            raise BrokerUnavailable(f"{self.name}: {missing}")
        self.fetch()
        private_folder(self._folder)
        self._process.stop_left_over()
        self._port, controller_port = self._process.ports(2)
        properties = self._write_properties(self._port, controller_port)
        if not (self._data / "meta.properties").exists():
            # Kafka's own form of a UUID, behind a letter: one that begins with a hyphen would be taken for an option
            cluster_id = "P" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
            arguments = ["format", "-t", cluster_id, "-c", str(properties)]
            _run(self._java("kafka.tools.StorageTool", *arguments), f"{self.name}: formatting {self._data}")
        self._process.start(self._java("kafka.Kafka", str(properties)), self.bootstrap_servers)

    def stop(self) -> None:
        self._process.stop()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def fetch(self) -> Path:
        """The folder of its jars, fetched unless they are there. Raises BrokerUnavailable."""
        if not self._jars.exists():
            self._fetch_once()
        return self._jars

    def _fetch_once(self) -> None:
        self._jars.parent.mkdir(parents=True, exist_ok=True)
        with open(open_private(self._jars.parent / "fetch.lock"), "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two Mavens at once may spoil each other's repository
            if not self._jars.exists():
                self._fetch_alone()

    def _fetch_alone(self) -> None:
        with tempfile.TemporaryDirectory(dir=self._jars.parent) as partial:
            fetched = Path(partial) / "libs"
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
            _run(["mvn", "-B", "-q", "-f", str(_HERE / "pom.xml"), *goal], f"{self.name}: fetching it with Maven")
            os.rename(fetched, self._jars)

    def _write_properties(self, port: int, controller_port: int) -> Path:
        path = self._folder / "server.properties"
        path.write_text(_PROPERTIES.format(host=LOOPBACK, port=port, controller_port=controller_port, data=self._data))
        return path

    def _java(self, main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={_HERE / 'log4j2.properties'}"
        return ["java", *_OPTIONS, logging, "-cp", f"{self._jars}/*", main, *arguments]


def _java_version() -> int | None:
    java = shutil.which("java")
    if java is None:
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return int(version[1]) if version else None


def _run(command: list[str], doing: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BrokerUnavailable(f"{doing} failed with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
