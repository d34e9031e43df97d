"""The numbers as they were looked up last, for all who ask: KEDA, a monitor, another autoscaler."""

import threading
from collections.abc import Mapping
from typing import Literal

import msgspec
from prometheus_client import Gauge

from schemas.decoding import prepare
from schemas.operations.base import POOLS, Pool
from schemas.records import Lane
from streams.runtime.clock import Clock
from streams.runtime.errors import Refused, Unavailable

Basis = Literal["facts", "lag"]
METRIC = "replicas"
POOL, BESIDES = "pool", "besides"
OF_KEDA = frozenset({"scalerAddress", "enableTLS", "unsafeSsl", "caCert", "tlsClientCert", "tlsClientKey"})
BESIDES_MAX = 10_000

wanted_replicas = Gauge("packshot_scaler_replicas", "Replicas that a pool wants", ["pool"])
ready_replicas = Gauge("packshot_scaler_ready_replicas", "Workers in a pool's groups", ["pool"])
backlog_seconds = Gauge("packshot_backlog_seconds", "Engine-seconds that wait", ["pool", "lane"])
campaign_seconds = Gauge("packshot_campaign_backlog_seconds", "Engine-seconds of campaigns with a deadline", ["pool"])
cold_start_seconds = Gauge("packshot_cold_start_seconds", "How long a new replica takes until it works", ["pool"])
without_facts = Gauge("packshot_scaler_without_facts", "1 while the number is by Kafka's lag alone", ["pool"])


class PoolNumber(msgspec.Struct, frozen=True, kw_only=True):
    """How many replicas a pool wants, and by what: what waits and is due, engine-seconds; `at_ms` is Unix time."""

    pool: Pool
    replicas: int
    ready: int
    replicas_max: int
    basis: Basis
    backlog_s: Mapping[Lane, float]
    campaigns_s: float
    cold_start_s: float
    at_ms: int


prepare(PoolNumber)


class Board:
    """The newest number of each pool. Safe to use from several threads; whoever watches it hears of each change."""

    def __init__(self, clock: Clock, kept_s: float) -> None:
        self._clock = clock
        self._kept_s = kept_s
        self._changed = threading.Condition()
        self._numbers: dict[Pool, PoolNumber] = {}
        self._closed = False

    def put(self, number: PoolNumber) -> None:
        """Tells a number."""
        pool = number.pool
        wanted_replicas.labels(pool).set(number.replicas)
        ready_replicas.labels(pool).set(number.ready)
        campaign_seconds.labels(pool).set(number.campaigns_s)
        cold_start_seconds.labels(pool).set(number.cold_start_s)
        without_facts.labels(pool).set(number.basis == "lag")
        for lane, waits_s in number.backlog_s.items():
            backlog_seconds.labels(pool, lane).set(waits_s)
        with self._changed:
            self._numbers[pool] = number
            self._changed.notify_all()

    def of(self, pool: Pool) -> PoolNumber:
        """The number of a pool. Raises Unavailable where there is none, or it is too old to go by."""
        number = self._numbers.get(pool)
        if number is None:
            raise Unavailable(f"nobody has looked at the pool {pool} yet")
        age_s = self._clock.time() - number.at_ms / 1000
        if age_s > self._kept_s:
            raise Unavailable(f"the number of the pool {pool} is {age_s:.0f} s old: the brokers are away")
        return number

    def wanted(self, metadata: Mapping[str, str]) -> int:
        """How many replicas a ScaledObject is to have, by its metadata. Raises Refused for bad ones, Unavailable."""
        pool, besides = read_metadata(metadata)
        return max(self.of(pool).replicas - besides, 0)

    def wait(self, seconds: float) -> bool:
        """Waits for a new number, so long at most; False once the board is closed."""
        with self._changed:
            if not self._closed:
                self._changed.wait(seconds)
            return not self._closed

    def close(self) -> None:
        """Wakes all who wait: there will be no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def has_all(self) -> bool:
        """Whether every pool was looked at."""
        return len(self._numbers) == len(POOLS)

    def view(self) -> bytes:
        """All numbers as JSON."""
        return msgspec.json.encode(list(self._numbers.values()))


def read_metadata(metadata: Mapping[str, str]) -> tuple[Pool, int]:
    """The pool that a ScaledObject names, and how many replicas of it others give. Raises Refused naming the field."""
    for name in metadata:
        if name not in OF_KEDA | {POOL, BESIDES}:
            raise Refused("bad_metadata", f"there are {POOL} and {BESIDES}, and no {name[:64]!r}", field=name[:64])
    pool = next((each for each in POOLS if each == metadata.get(POOL)), None)
    if pool is None:
        raise Refused("bad_metadata", f"{POOL} is one of {', '.join(POOLS)}", field=POOL)
    besides = metadata.get(BESIDES, "0")
    if not (besides.isascii() and besides.isdigit() and len(besides) < 6 and int(besides) <= BESIDES_MAX):
        raise Refused("bad_metadata", f"{BESIDES} is a whole number up to {BESIDES_MAX}", field=BESIDES)
    return pool, int(besides)
