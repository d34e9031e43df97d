"""The scaler: looks at every pool at intervals, and puts the number on the board."""

import threading
import time
from collections.abc import Callable

import structlog

from schemas.operations.base import POOLS, Pool
from streams.consumer import pools
from streams.consumer.pools import PoolState
from streams.facts import Database
from streams.runtime.clock import Clock
from streams.runtime.errors import Unavailable
from streams.runtime.health import Turned
from streams.runtime.settings import Settings
from streams.scaling import demand
from streams.scaling.board import Basis, Board, PoolNumber
from streams.scaling.demand import Known
from streams.scaling.sizing import replicas
from streams.scaling.steadying import ColdStarts, Steady

KEPT_LOOKS = 8  # a number is gone by for so many intervals: two minutes, in which a broker that ended is replaced
FACTS_KEPT_S = 300.0  # what campaigns are still to have goes on to count while the facts are away

log = structlog.get_logger()
Look = Callable[[Pool], PoolState]


class Scaler:
    """Decides for all pools. Where the facts are away, what was known of them counts for FACTS_KEPT_S, its deadlines
    nearing, and then Kafka's lag alone, at what a task took; where the brokers are away, the number grows old."""

    def __init__(self, settings: Settings, database: Database, board: Board, clock: Clock = time) -> None:
        self._settings = settings
        self._database = database
        self._board = board
        self._clock = clock
        self._look: Look = lambda pool: pools.look(settings, pool, demand.WINDOWS_S)
        self._known = demand.assumed(settings)
        self._known_at_s: float | None = None
        self._steady: dict[Pool, Steady] = {}
        self._cold_starts = {pool: ColdStarts(settings.scaler_cold_start_s) for pool in POOLS}

    def looking(self, look: Look) -> "Scaler":
        """The same, which sees pools by another function."""
        self._look = look
        return self

    def run(self, stop: threading.Event, turned: Turned = lambda: None) -> None:
        """Looks at intervals until `stop` is set."""
        while not stop.is_set():
            turned()
            try:
                self.look()
            except Unavailable as away:
                log.warning("waiting", reason=str(away))
            stop.wait(self._settings.scaler_interval_s)

    def look(self) -> None:
        """Looks once at all pools. Raises Unavailable where the brokers are away."""
        basis = self._ask_facts()
        for pool in POOLS:
            state = self._look(pool)
            try:
                self._board.put(self._number(pool, state, basis))
            except Exception:  # its number grows old; those of the others go on
                log.exception("no number", pool=pool)

    def _ask_facts(self) -> Basis:
        now_s = self._clock.monotonic()
        try:
            with self._database.read() as facts:
                self._known = demand.known(self._settings, facts, round(self._clock.time() * 1000))
            self._known_at_s = now_s
        except Unavailable as away:
            log.warning("the facts are away", reason=str(away))
        if self._known_at_s is not None and now_s - self._known_at_s <= FACTS_KEPT_S:
            return "facts"
        self._known = Known(self._known.task_s, self._known.picture_s)
        return "lag"

    def _number(self, pool: Pool, state: PoolState, basis: Basis) -> PoolNumber:
        now_s, now_ms = self._clock.monotonic(), round(self._clock.time() * 1000)
        cold_start_s = self._cold_starts[pool].cold_start_s
        observed = demand.observed(pool, state, self._known, now_ms)
        terms = demand.terms(self._settings, state, cold_start_s)
        if pool not in self._steady:  # what is there was wanted by whoever scaled before this process
            self._steady[pool] = Steady()
            self._steady[pool].step(now_s, state.members, cold_start_s)
        wanted = min(self._steady[pool].step(now_s, replicas(observed, terms), cold_start_s), terms.replicas_max)
        self._cold_starts[pool].step(now_s, wanted, state.members)
        return PoolNumber(
            pool=pool,
            replicas=wanted,
            ready=state.members,
            replicas_max=terms.replicas_max,
            basis=basis,
            backlog_s={lane: load.waiting_s for lane, load in observed.lanes.items()},
            campaigns_s=sum(each.work_s for each in observed.campaigns),
            cold_start_s=cold_start_s,
            at_ms=now_ms,
        )
