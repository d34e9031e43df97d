"""noida-db as the broker where there is no Java: one small program that keeps its topics in memory."""

import importlib.util
import shutil
from pathlib import Path

from streams.embedded.pacing import Pacing
from streams.embedded.process import LOOPBACK, BrokerProcess, BrokerUnavailable
from streams.runtime.private import private_folder


class NoidaDb:
    """An EmbeddedBroker on noida-db's Kafka: enough of the protocol for a laptop, not for production."""

    name = "noida-db"
    promises = (
        "Topics are held in memory and written to a file by a clean stop: a kill loses them. Behind a transaction that "
        "was aborted, readers of committed records see nothing more of the same writer."
    )

    frees_partitions = False  # 0.2.3: whoever joins then waits for the dead one for ever (seen for 200 s)

    def __init__(self, folder: Path) -> None:
        self._process = BrokerProcess(self.name, folder)
        self._port: int | None = None
        self._pacing: Pacing | None = None

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
        return None if _program() else "needs the package noida-db (pip install 'packshot[embedded]')"

    def start(self) -> None:
        program = _program()
        if program is None:
            raise BrokerUnavailable(f"{self.name}: {self.missing()}")
        private_folder(self._process.folder)
        self._process.stop_left_over()
        self._port, own_port = self._process.ports(2)
        data = str(self._process.folder / "data")
        command = [program, "start", "--only", "kafka", "--kafka-port", str(own_port), "--data-dir", data]
        self._process.start(command, f"{LOOPBACK}:{own_port}")
        self._pacing = Pacing(self._port, own_port)
        self._pacing.start()

    def stop(self) -> None:
        if self._pacing is not None:
            self._pacing.stop()
            self._pacing = None
        self._process.stop()


def _program() -> str | None:
    """The server itself: the script on PATH is a launcher that would outlive a kill of its child, and the reverse."""
    package = importlib.util.find_spec("noida_db")
    if package is not None and package.origin is not None:
        server = Path(package.origin).parent / "noida-db"
        if server.exists():
            return str(server)
    return shutil.which("noida-db")
