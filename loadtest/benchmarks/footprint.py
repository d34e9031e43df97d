"""What a changed product takes and leaves behind: CPU by role, bytes by topic, in the database and in both buckets.

The whole system with PostgreSQL and the in-memory broker. One product of the sample catalogue has its pictures made;
then COPIES more, by the same photograph, whose pictures come from the cache: what a product takes besides its pictures
is told by them, and what pictures take by the first. A record's bytes are those of its key, value and headers, before
compression and replication. Of a role's CPU all is counted that it took while the copies were under way.
"""

import argparse
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil
from msgspec import structs
from sqlalchemy import create_engine, text

from infra.servers.postgres import postgres
from infra.servers.process import free_port
from schemas import topics
from schemas.records import CatalogChanged
from streams.consumer.reading import read
from streams.facts import Database
from streams.flow.relay import Sender
from streams.runtime.settings import Settings
from streams.runtime.supervisor import Supervisor
from streams.services.operating import local
from streams.services.submitting import submission
from streams.services.submitting.event_files import read_events
from streams.services.submitting.submission import Submitted

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "loadtest" / "rendering" / "catalogue" / "catalogue.jsonl"
SKU = "BOX-TEA-20"  # one photograph, five channels
COPIES = 100
WITHIN_S = 1500.0
POLL_S = 1.0

Tally = dict[str, float]


class Bed:
    """A running system whose use can be read off."""

    def __init__(self, settings: Settings, supervisor: Supervisor, database: Database) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._database = database

    def used(self) -> Tally:
        """All that it has taken until now: CPU-seconds by role, bytes by topic and store, assets by state."""
        with self._database.read() as facts:
            states = Counter(asset.state for asset in facts.assets.every())
            spent = facts.costs.spendings()
        worked = {"tasks.cpu_s": sum(each.cpu_ms for each in spent) / 1000}
        worked |= {"tasks.engine_s": sum(each.engine_ms for each in spent) / 1000}
        stores = {"blobs": self._settings.blobs, "origin": self._settings.origin}
        return (
            {f"cpu_s.{'-'.join(role.arguments[:3])}": _cpu_s(role.process.pid) for role in self._supervisor.roles}
            | {f"bytes.{name}": _folder_bytes(Path(url.removeprefix("file://"))) for name, url in stores.items()}
            | {f"assets.{state}": count for state, count in states.items()}
            | {"bytes.database": _database_bytes(self._settings.database)}
            | worked
            | self._topics()
        )

    def make(self, events: Iterable[CatalogChanged], producer: Sender) -> None:
        """Sends events and waits until each has its pictures, live or before a person."""
        sent = submission.send(events, producer)
        give_up_at, shown = time.monotonic() + WITHIN_S, Counter[str]()
        while (now := self._states(sent)).get("waiting"):
            if now != shown:
                print(dict(now), flush=True)
            shown = now
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"not all of {len(sent)} products were done within {WITHIN_S:.0f} s")
            self._supervisor.start_dead_ones()
            time.sleep(POLL_S)

    def _states(self, sent: Sequence[Submitted]) -> Counter[str]:
        with self._database.read() as facts:
            return Counter(submission.fate(each, facts).state for each in sent)

    def _topics(self) -> Tally:
        names = [each.name for each in topics.every(tuple(map(int, self._settings.retry_delays_ms)))]
        sizes: Tally = {}
        for each in read(self._settings, names):
            size = topics.size_bytes(each.key, each.value or b"", each.headers)
            sizes[f"topic.{each.topic}"] = sizes.get(f"topic.{each.topic}", 0) + size
        return sizes


def measured(copies: int) -> dict[str, float]:
    """The figures, by name."""
    with (
        tempfile.TemporaryDirectory() as place,
        tempfile.TemporaryDirectory() as folder,
        postgres(Path(place)) as url,
    ):
        event = _sample()
        os.environ |= {  # of the roles, which are processes of their own
            "PACKSHOT_DATA_FOLDER": folder,
            "PACKSHOT_CACHE_FOLDER": str(ROOT / ".cache"),
            "PACKSHOT_EMBEDDED_BROKER": "memory",
            "PACKSHOT_DATABASE_URL": url,
            "PACKSHOT_CDN_PORT": str(free_port()),
            "PACKSHOT_GATEWAY_PORT": str(free_port()),
        }
        settings = Settings()
        with local.running_system(settings, print, print) as (running, supervisor):
            supervisor.wait_until_ready(threading.Event())
            with local.connect(running) as (database, producer):
                bed = Bed(running, supervisor, database)
                start = bed.used()
                print("the first product", flush=True)
                bed.make([event], producer)
                one = bed.used()
                print(f"{copies} copies", flush=True)
                bed.make([structs.replace(event, sku=f"{SKU}-{number}") for number in range(copies)], producer)
                return _told(start, one, bed.used(), copies)


def _told(start: Tally, one: Tally, all_of_them: Tally, copies: int) -> dict[str, float]:
    first = {f"first.{name}": one[name] - start.get(name, 0.0) for name in one}
    each = {f"copy.{name}": (all_of_them[name] - one.get(name, 0.0)) / copies for name in all_of_them}
    return first | each


def _sample() -> CatalogChanged:
    """The product, with its photograph's whole address."""
    events, wrong = read_events(CATALOGUE)
    [event] = [each.event for each in events if isinstance(each.event, CatalogChanged) and each.event.sku == SKU]
    assert not wrong, wrong
    return event


def _cpu_s(pid: int) -> float:
    """Of a process and those that it started, in s."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _folder_bytes(folder: Path) -> float:
    return float(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))


def _database_bytes(url: str) -> float:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return float(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    finally:
        engine.dispose()


def main() -> None:
    """Prints the figures, and as JSON in the last line."""
    asked = argparse.ArgumentParser(description=main.__doc__)
    asked.add_argument("--copies", type=int, default=COPIES)
    figures = measured(asked.parse_args().copies)
    for name, figure in figures.items():
        print(f"{name}: {figure:,.3f}")
    print(json.dumps({"figures": {name: round(figure, 3) for name, figure in figures.items()}, "targets": {}}))


if __name__ == "__main__":
    main()
