"""How much a key and a tenant may ask in a minute: token buckets, told in RateLimit headers (IETF draft 11).

Test keys have a tenant's quota of their own. Each gateway counts on its own, from full buckets when it starts: N
gateways let through N times as much at most.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from streams.api.problems import Problem

WINDOW_S = 60
BUCKETS_MAX = 100_000  # those that were used longest ago are full again by then
HEADERS = "packshot_headers"  # in a request's state: what its answer tells besides


@dataclass(frozen=True)
class Taken:
    """What became of a request to a bucket: how many are left, and when the next one may come."""

    policy: str
    quota: int
    left: int
    wait_s: float


class Buckets:
    """Buckets by name, each filled evenly in a minute. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, policy: str, name: str, quota: int) -> Taken:
        """Takes one from a bucket, unless it is empty: then `wait_s` is above 0."""
        with self._lock:
            now_s = self._clock()
            level, at_s = self._levels.pop(name, (float(quota), now_s))
            level = min(float(quota), level + (now_s - at_s) * quota / WINDOW_S)
            has_one = level >= 1
            self._levels[name] = (level - 1 if has_one else level), now_s
            if len(self._levels) > BUCKETS_MAX:
                self._levels.popitem(last=False)
        wait_s = 0.0 if has_one else (1 - level) * WINDOW_S / quota
        return Taken(policy, quota, int(level - 1) if has_one else 0, wait_s)


def check_quota(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Counts what changes or makes something; reading is free. Raises Problem."""
    scope: Any = connection.scope
    if handler.opt.get("open") or scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return
    caller, settings = connection.user, connection.app.state.gateway.settings
    quotas = (
        ("key", caller.key.digest, settings.gateway_key_per_minute),
        ("tenant", f"tenant {caller.key.mode} {caller.tenant}", settings.gateway_tenant_per_minute),
    )
    taken = [connection.app.state.buckets.take(policy, name, quota) for policy, name, quota in quotas if quota]
    tell(scope, headers(taken))
    empty = [each for each in taken if each.wait_s]
    if empty:
        wait_s = math.ceil(max(each.wait_s for each in empty))
        raise Problem("quota_exceeded", retry_after_s=wait_s, violated=[each.policy for each in empty])


def tell(scope: Any, told: dict[str, str]) -> None:
    """Adds headers to the answer to a request, whatever that is."""
    scope["state"][HEADERS] = scope["state"].get(HEADERS, {}) | told


def headers(taken: list[Taken]) -> dict[str, str]:
    """What is told of the buckets: each policy, what is left of it, and in how many seconds it is full again."""
    if not taken:
        return {}
    policies = ", ".join(f'"{each.policy}";q={each.quota};w={WINDOW_S}' for each in taken)
    levels = ", ".join(f'"{each.policy}";r={each.left};t={_full_in_s(each)}' for each in taken)
    return {"ratelimit-policy": policies, "ratelimit": levels}


def _full_in_s(taken: Taken) -> int:
    return math.ceil((taken.quota - taken.left) * WINDOW_S / taken.quota)
