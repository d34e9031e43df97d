"""How much a key and a tenant may ask: requests and pixels a minute by token buckets, and pictures at work at once.

Pixels are those of the photographs that pictures are made of; what is known already costs none. A bucket lets through
what it has room for and may be overdrawn by it, so that a photograph larger than a whole quota waits for a full bucket,
and one whose size is known only later is counted then.

Test keys have a tenant's quota of their own. Each gateway counts on its own, from full buckets when it starts. So in M
minutes N gateways that were started S times let through N * (1 + M) + S quotas at most, and N times as many at once.
"""

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from streams.facts.keys import ApiKey
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

WINDOW_S = 60
BUCKETS_MAX = 100_000  # those that were used longest ago are full again by then
WORK_WAIT_S = 1.0  # until one at work may have ended: nobody knows
MEGAPIXEL = 1_000_000
REFUSAL = "quota_exceeded"

Unit = Literal["requests", "pixels", "concurrent-requests"]


@dataclass(frozen=True)
class Policy:
    """A quota by the name that callers are told: of `unit` in a minute, or at once; `whose` bucket it is."""

    name: str
    whose: str
    quota: int
    unit: Unit = "requests"


@dataclass(frozen=True)
class Level:
    """What is left of a quota, and in how many seconds all of it is; `wait_s` until what was asked fits, or 0."""

    policy: Policy
    left: int
    full_s: float
    wait_s: float


class OverQuota(Refused):
    """More than a quota has left; `violated` names the policies."""

    def __init__(self, levels: Sequence[Level]) -> None:
        over = [each for each in levels if each.wait_s]
        self.violated = [each.policy.name for each in over]
        self.retry_after_s = math.ceil(max(each.wait_s for each in over))
        limits = ", ".join(f"{each.policy.quota} {_UNITS[each.policy.unit]}" for each in over)
        super().__init__(REFUSAL, f"the quota is {limits}", transient=True)


_UNITS = {
    "requests": "requests a minute",
    "pixels": "pixels a minute",
    "concurrent-requests": "pictures at work at once",
}


class Buckets:
    """Buckets by whose they are, each filled evenly in a minute. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, policies: Sequence[Policy], amount: int) -> list[Level]:
        """Takes an amount from each of the buckets, or from none where one has no room: its `wait_s` is above 0."""
        with self._lock:
            now_s = self._clock()
            before = [self._at(each, now_s) for each in policies]
            waits_s = [_wait_s(each, level, amount) for each, level in zip(policies, before, strict=True)]
            taken = 0 if any(waits_s) else amount
            after = [level - taken for level in before]
            for policy, level in zip(policies, after, strict=True):
                self._put(policy, level, now_s)
        return [_level(*each) for each in zip(policies, after, waits_s, strict=True)]

    def overdraw(self, policies: Sequence[Policy], amount: int) -> None:
        """Takes what was used already, or gives back what was not used."""
        with self._lock:
            now_s = self._clock()
            for policy in policies:
                self._put(policy, self._at(policy, now_s) - amount, now_s)

    def _at(self, policy: Policy, now_s: float) -> float:
        level, at_s = self._levels.get((policy.whose, policy.unit), (float(policy.quota), now_s))
        return min(float(policy.quota), level + (now_s - at_s) * policy.quota / WINDOW_S)

    def _put(self, policy: Policy, level: float, now_s: float) -> None:
        place = policy.whose, policy.unit
        self._levels[place] = level, now_s
        self._levels.move_to_end(place)
        if len(self._levels) > BUCKETS_MAX:
            self._levels.popitem(last=False)


class AtWork:
    """How many pictures are at work, by whose they are. Thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self, policies: Sequence[Policy]) -> list[Level]:
        """Counts one more, or none where one of the quotas has no room: its `wait_s` is above 0."""
        with self._lock:
            levels = [self._level(each, self._counts[each.whose] >= each.quota) for each in policies]
            if not any(each.wait_s for each in levels):
                self._counts.update(each.whose for each in policies)
        return levels

    def end(self, policies: Sequence[Policy]) -> None:
        """Counts one less."""
        with self._lock:
            self._counts.subtract(each.whose for each in policies)
            self._counts = +self._counts  # those that have none are forgotten

    def look(self, policies: Sequence[Policy]) -> list[Level]:
        """What is left of each."""
        with self._lock:
            return [self._level(each, is_full=False) for each in policies]

    def _level(self, policy: Policy, is_full: bool) -> Level:
        left = max(policy.quota - self._counts[policy.whose], 0)
        return Level(policy, left, 0.0, WORK_WAIT_S if is_full else 0.0)


class Quotas:
    """The quotas of the settings; those that are 0 are none."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self.buckets = Buckets(clock)
        self.at_work = AtWork()

    def request(self, key: ApiKey, tenant: str) -> list[Level]:
        """Counts a request of a key about a tenant; it is over a quota whose `wait_s` is above 0."""
        settings = self._settings
        quotas = (settings.gateway_key_per_minute, settings.gateway_tenant_per_minute)
        return self.buckets.take(_policies(key, tenant, quotas, "requests", ""), 1)

    def allowance(self, key: ApiKey, tenant: str) -> "Allowance":
        """What a key may have made for a tenant."""
        settings = self._settings
        pixels = (
            settings.gateway_key_megapixels_per_minute * MEGAPIXEL,
            settings.gateway_tenant_megapixels_per_minute * MEGAPIXEL,
        )
        work = (settings.gateway_key_at_work, settings.gateway_tenant_at_work)
        return Allowance(
            self,
            _policies(key, tenant, pixels, "pixels", "-pixels"),
            _policies(key, tenant, work, "concurrent-requests", "-work"),
        )


@dataclass(frozen=True)
class Allowance:
    """What one caller may have made, of both quotas that pictures have."""

    quotas: Quotas
    pixels: Sequence[Policy]
    work: Sequence[Policy]

    def begin(self, pixels: int) -> Callable[[int | None], None]:
        """Counts a picture of a photograph that is to be made. Raises OverQuota.

        What is returned is to be called once it is at work no more, with how many pixels there were: those that were
        not known before, as of a photograph that lay elsewhere, are counted then; with None where it was not begun.
        """
        working = self.quotas.at_work.begin(self.work)
        if any(each.wait_s for each in working):
            raise OverQuota(working)
        taken = max(pixels, 1)  # of a size that is not known yet something has to be left
        levels = self.quotas.buckets.take(self.pixels, taken)
        if any(each.wait_s for each in levels):
            self.quotas.at_work.end(self.work)
            raise OverQuota(levels)

        def end(found: int | None) -> None:
            self.quotas.at_work.end(self.work)
            self.quotas.buckets.overdraw(self.pixels, -taken if found is None else max(found - taken, 0))

        return end

    def levels(self) -> list[Level]:
        """What is left of each quota."""
        return [*self.quotas.buckets.take(self.pixels, 0), *self.quotas.at_work.look(self.work)]


def _policies(key: ApiKey, tenant: str, quotas: tuple[int, int], unit: Unit, suffix: str) -> list[Policy]:
    whose = (("key", key.digest), ("tenant", f"tenant {key.mode} {tenant}"))
    named = zip(whose, quotas, strict=True)
    return [Policy(f"{kind}{suffix}", name, quota, unit) for (kind, name), quota in named if quota]


def _wait_s(policy: Policy, level: float, amount: int) -> float:
    """Until there is room: as much as is asked, or all there ever is."""
    lacking = min(amount, policy.quota) - level
    return lacking * WINDOW_S / policy.quota if lacking > 0 else 0.0


def _level(policy: Policy, level: float, wait_s: float) -> Level:
    return Level(policy, max(int(level), 0), (policy.quota - level) * WINDOW_S / policy.quota, wait_s)
