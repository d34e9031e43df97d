"""Which broker to start on this machine."""

from pathlib import Path
from typing import Literal, Protocol

from streams.embedded.apache_kafka import ApacheKafka
from streams.embedded.noida import NoidaDb
from streams.embedded.process import BrokerUnavailable


class EmbeddedBroker(Protocol):
    """One Kafka broker on loopback, a child of this process.

    It ends with its parent, even a killed one (on Linux: with the thread that called `start`). Its port and its data
    are the same at the next start.
    """

    name: str
    promises: str
    """One sentence for people: what is kept and what is not."""
    frees_partitions: bool
    """Whether it takes partitions from a member of a group that died, for others."""

    @property
    def bootstrap_servers(self) -> str:
        """host:port; only once started."""

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""

    def start(self) -> None:
        """Start the broker and return when it answers. Raises BrokerUnavailable with the end of its log."""

    def stop(self) -> None:
        """Stop it cleanly; nothing happens when it does not run."""


def choose_broker(
    data_folder: Path, cache_folder: Path, preference: Literal["auto", "kafka", "memory"] = "auto"
) -> EmbeddedBroker:
    """Apache Kafka where it can run, else noida-db; or just the one that is preferred.

    Data lie in `data_folder/broker`, Kafka's programs in `cache_folder/kafka`. Raises BrokerUnavailable, saying what
    to install.
    """
    kafka = ApacheKafka(data_folder / "broker" / "kafka", cache_folder / "kafka")
    memory = NoidaDb(data_folder / "broker" / "noida-db")
    wanted: dict[str, list[ApacheKafka | NoidaDb]] = {"auto": [kafka, memory], "kafka": [kafka], "memory": [memory]}
    missing = {broker.name: broker.missing() for broker in wanted[preference]}
    for broker in wanted[preference]:
        if missing[broker.name] is None:
            return broker
    raise BrokerUnavailable("; ".join(f"{name}: {what}" for name, what in missing.items()))
