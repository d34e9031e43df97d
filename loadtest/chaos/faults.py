"""What is done to the system, one thing after another, in an order that the seed gives."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from loadtest.chaos.brokers import OneBroker
from loadtest.chaos.cluster import ALONE, GROUPS, ROLES, SESSION_MS, Cluster
from loadtest.chaos.stalls import Stall, Stalls

AWAY_S = (1.0, 6.0)
PAUSE_S = SESSION_MS / 1000 * 1.5
FULL_S = 6.0
STOPPED_WITHIN_S = 20.0
AT_LEAST_S = 6.0
AFTER_S = 2.0  # so that what waited outside has come in, and is seen
RECOVERED_WITHIN_S = 120.0
EVERYBODY = [group for its in GROUPS.values() for group in its]


@dataclass(frozen=True)
class Fault:
    """One thing that is done, and whose partitions stand still by it; `bars_writers` when no event can be written."""

    name: str
    kind: str
    groups: list[str]
    do: Callable[[], None]
    bars_writers: bool = False


@dataclass(frozen=True)
class Injection:
    """A fault that was injected, and how the system took it.

    `away_s` is for how long a server did not answer, its own start included; 0 where none was killed.
    """

    name: str
    kind: str
    stall: Stall
    recovered: bool
    away_s: float = 0.0
    bars_writers: bool = False

    @property
    def stalled_s(self) -> float:
        """For how long somebody had to wait: who could not write an event as well as who was to read one."""
        return max(self.stall.seconds, self.away_s if self.bars_writers else 0.0)

    @property
    def own_s(self) -> float:
        """What of it was not the server's."""
        return max(0.0, self.stalled_s - self.away_s)

    @property
    def description(self) -> str:
        """It in a line."""
        where = f" ({self.stall.place[0]} at {self.stall.place[1]}/{self.stall.place[2]})" if self.stall.place else ""
        away = f"; the server was away for {self.away_s:.1f} s of it, its start included" if self.away_s else ""
        end = "" if self.recovered else ", DID NOT RECOVER"
        return f"{self.name}: stood still for {self.stalled_s:.1f} s{where}{away}{end}"


class FaultInjector:
    """Does everything on its list. `stops` counts the publishers that stood still before a write."""

    def __init__(self, seed: int, cluster: Cluster, stalls: Stalls, say: Callable[[str], None]) -> None:
        self.injections: list[Injection] = []
        self.stops = 0
        self._rng = random.Random(f"mischief {seed}")
        self._cluster = cluster
        self._stalls = stalls
        self._say = say
        self.list = [
            *(self._kill(role) for role in ROLES),
            *(self._kill(self._rng.choice(["streams", "publisher", "cutout", "compose"])) for _ in range(2)),
            *(self._kill_server(name) for name in cluster.servers),
            *(self._pause(role) for role in ROLES if role not in ALONE),
            *(self._pause_at_a_write() for _ in range(4)),
            *(self._extra(role) for role in ("streams", "cutout", "compose", "publisher", "webhooks")),
            *([self._full()] if cluster.disk.is_small else []),
        ]
        self._rng.shuffle(self.list)

    def strike(self, faults: Fault) -> Injection:
        """Does one thing, and waits until what it stopped has moved on."""
        self._stalls.forget()
        began_s = time.monotonic()
        faults.do()
        over_s = time.monotonic()
        recovered = self._wait(faults.groups, began_s, over_s)
        away_s = over_s - began_s if faults.kind == "server" else 0.0
        stall = self._stalls.longest(faults.groups)
        injection = Injection(faults.name, faults.kind, stall, recovered, away_s, faults.bars_writers)
        self.injections.append(injection)
        self._say(injection.description)
        return injection

    def _wait(self, groups: list[str], began_s: float, over_s: float) -> bool:
        while time.monotonic() < over_s + RECOVERED_WITHIN_S:
            time.sleep(0.5)
            long_enough = time.monotonic() > began_s + AT_LEAST_S and self._stalls.looked_since(over_s + AFTER_S)
            if long_enough and self._cluster.is_ready() and not self._stalls.stalled(groups, over_s):
                return True
        return False

    def _kill(self, role: str) -> Fault:
        name = f"{role}-{1 if role in ALONE else self._rng.choice((1, 2))}"
        return Fault(f"kill {name}", "kill", GROUPS[role], lambda: self._cluster.signal(name, signal.SIGKILL))

    def _kill_server(self, name: str) -> Fault:
        away_s = self._rng.uniform(*AWAY_S)

        def do() -> None:
            self._cluster.kill_server(name)
            time.sleep(away_s)
            self._cluster.start_server(name)

        return Fault(f"kill the {name} for {away_s:.1f} s", "server", EVERYBODY, do, name in OneBroker.names)

    def _pause(self, role: str) -> Fault:
        name = f"{role}-{self._rng.choice((1, 2))}"

        def do() -> None:
            self._cluster.signal(name, signal.SIGSTOP)
            time.sleep(PAUSE_S)
            self._cluster.signal(name, signal.SIGCONT)

        return Fault(f"pause {name} for {PAUSE_S:.0f} s", "pause", GROUPS[role], do)

    def _pause_at_a_write(self) -> Fault:
        """A publisher stands still between its look at a manifest and what it does to the origin; others go on."""
        name = f"publisher-{self._rng.choice((1, 2))}"

        def do() -> None:
            self._cluster.signal(name, signal.SIGUSR1)
            if self._cluster.wait_until_stopped(name, STOPPED_WITHIN_S):  # it may have nothing to write
                self.stops += 1
                time.sleep(PAUSE_S)
            self._cluster.signal(name, signal.SIGCONT)

        return Fault(f"{name} stops before a write for {PAUSE_S:.0f} s", "pause", GROUPS["publisher"], do)

    def _extra(self, role: str) -> Fault:
        """A third member comes, and one of the three goes."""
        gone = self._rng.choice((1, 2, 3))

        def do() -> None:
            self._cluster.add(role, 3)
            time.sleep(PAUSE_S)
            self._cluster.remove(f"{role}-{gone}")
            if gone != 3:
                self._cluster.remove(f"{role}-3")
                self._cluster.add(role, gone)

        return Fault(f"{role}: a third comes, number {gone} goes", "members", GROUPS[role], do)

    def _full(self) -> Fault:
        def do() -> None:
            self._cluster.disk.fill()
            time.sleep(FULL_S)
            self._cluster.disk.empty()

        return Fault(f"the storage's disk is full for {FULL_S:.0f} s", "full", EVERYBODY, do)
