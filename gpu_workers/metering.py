"""What a task uses up, stage by stage: time, its share of the engine's, the processor's, bytes, and their price."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from schemas.costs import total
from schemas.records import Cost
from streams.runtime.settings import Settings

_MS_PER_HOUR = 3_600_000
_BYTES_PER_GB = 10**9
_NANOS = 10**9


@dataclass(frozen=True)
class Prices:
    """Prices in the operator's currency; a GB is 10⁹ bytes."""

    engine_hour: float = 0.0
    cpu_hour: float = 0.0
    fetched_gb: float = 0.0
    stored_gb: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> "Prices":
        """Those of the settings."""
        return cls(
            engine_hour=settings.price_engine_hour,
            cpu_hour=settings.price_cpu_hour,
            fetched_gb=settings.price_fetched_gb,
            stored_gb=settings.price_stored_gb,
        )

    def cost(self, engine_ms: float, cpu_ms: float, bytes_in: int, bytes_out: int) -> Cost:
        """What has been used up, with its price."""
        time_price = (engine_ms * self.engine_hour + cpu_ms * self.cpu_hour) / _MS_PER_HOUR
        bytes_price = (bytes_in * self.fetched_gb + bytes_out * self.stored_gb) / _BYTES_PER_GB
        return Cost(
            engine_ms=round(engine_ms, 3),
            cpu_ms=round(cpu_ms, 3),
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            price_nanos=round((time_price + bytes_price) * _NANOS),
        )


class Meter:
    """Measures the stages of one task, in the thread that works on it. A stage that comes again is added to."""

    def __init__(self, prices: Prices, aside: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self.aside = aside
        """The context of a wait for what other tasks hold."""
        self.timings_ms: dict[str, float] = {}
        self.costs: dict[str, Cost] = {}
        self.waited_ms = 0.0
        """For how long the task waited while others were served."""
        self._prices = prices
        self._engine_ms = 0.0
        self._since_s = time.perf_counter()
        self._cpu_since_s = time.thread_time()

    def add_engine_ms(self, engine_ms: float) -> None:
        """Counts engine time towards the stage that is going on."""
        self._engine_ms += engine_ms

    def waited(self, stage: str) -> None:
        """Ends a stage in which the task only waited while others were served."""
        before_ms = self.timings_ms.get(stage, 0.0)
        self.lap(stage)
        self.waited_ms += self.timings_ms[stage] - before_ms

    def lap(self, stage: str, *, bytes_in: int = 0, bytes_out: int = 0) -> None:
        """Ends a stage, which began when the one before it ended."""
        now_s, cpu_now_s = time.perf_counter(), time.thread_time()
        took_ms, cpu_ms = (now_s - self._since_s) * 1000, (cpu_now_s - self._cpu_since_s) * 1000
        cost = self._prices.cost(self._engine_ms, cpu_ms, bytes_in, bytes_out)
        if self._engine_ms:
            self.waited_ms += max(took_ms - self._engine_ms, 0.0)
        self.timings_ms[stage] = round(self.timings_ms.get(stage, 0.0) + took_ms, 1)
        self.costs[stage] = total([self.costs.get(stage, Cost()), cost])
        self._engine_ms, self._since_s, self._cpu_since_s = 0.0, now_s, cpu_now_s
