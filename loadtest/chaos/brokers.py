"""The brokers under chaos: Apache Kafka as one process, or as three of which one at a time may be away."""

import os
import signal
from pathlib import Path
from typing import Protocol

from infra.servers import KafkaCluster
from infra.servers.kafka import NUMBERS
from streams.embedded import choose_broker


class Brokers(Protocol):
    """Brokers by their names. They keep their data and ports when they are killed and started again."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def environment(self) -> dict[str, str]:
        """What the roles have to know of them, once they have been started."""

    def start_all(self) -> None: ...
    def start(self, name: str) -> None: ...
    def kill(self, name: str) -> None: ...
    def stop(self) -> None: ...


class OneBroker:
    """One, so that each record is there once."""

    names = ("broker",)

    def __init__(self, folder: Path, cache_folder: Path) -> None:
        self._broker = choose_broker(folder, cache_folder, "kafka")

    @property
    def environment(self) -> dict[str, str]:
        return {"PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": self._broker.bootstrap_servers}

    def start_all(self) -> None:
        self._broker.start()

    def start(self, _name: str) -> None:
        self._broker.start()

    def kill(self, _name: str) -> None:
        assert self._broker.pid is not None
        os.kill(self._broker.pid, signal.SIGKILL)
        self._broker.stop()

    def stop(self) -> None:
        self._broker.stop()


class ThreeBrokers:
    """Three, which hold each record three times; two of them are enough to go on."""

    names = tuple(f"broker {number}" for number in NUMBERS)

    def __init__(self, folder: Path, cache_folder: Path) -> None:
        (folder / "kafka").mkdir()
        self._cluster = KafkaCluster(folder / "kafka", cache_folder)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": self._cluster.bootstrap_servers,
            "PACKSHOT_KAFKA_REPLICATION": str(len(NUMBERS)),
        }

    def start_all(self) -> None:
        self._cluster.start()

    def start(self, name: str) -> None:
        self._cluster.start(_number(name))

    def kill(self, name: str) -> None:
        self._cluster.kill(_number(name))

    def stop(self) -> None:
        self._cluster.stop()


def brokers_of(count: int, folder: Path, cache_folder: Path) -> Brokers:
    """One or three."""
    return OneBroker(folder, cache_folder) if count == 1 else ThreeBrokers(folder, cache_folder)


def _number(name: str) -> int:
    return int(name.rpartition(" ")[2])
