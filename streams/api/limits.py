"""Quotas as callers meet them: counted before a handler, and told in RateLimit headers (IETF draft 11).

What they are and how they are counted is in `streams.services.access.quotas`.
"""

import math
from collections.abc import Sequence
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from streams.api.problems import Problem
from streams.services.access.quotas import WINDOW_S, Level, OverQuota, Policy

HEADERS = "packshot_headers"  # in a request's state: what its answer tells besides
LEVELS = "packshot_levels"  # likewise: what is left of the quotas that it was counted towards


def check_quota(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Counts what changes or makes something; reading is free. Raises Problem."""
    scope: Any = connection.scope
    if handler.opt.get("open") or scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return
    levels = connection.app.state.quotas.request(connection.user.key, connection.user.tenant)
    add_levels(scope, levels)
    if any(each.wait_s for each in levels):
        raise problem(OverQuota(levels))


def problem(over: OverQuota) -> Problem:
    """The answer to who is over a quota."""
    return Problem(over.code, over.message, retry_after_s=over.retry_after_s, violated=over.violated)


def add_headers(scope: Any, added: dict[str, str]) -> None:
    """Adds headers to the answer to a request, whatever that is."""
    scope["state"][HEADERS] = scope["state"].get(HEADERS, {}) | added


def add_levels(scope: Any, levels: Sequence[Level]) -> None:
    """Has the answer tell what is left of these quotas, behind those that were told before."""
    known = scope["state"].setdefault(LEVELS, [])
    known += levels
    add_headers(scope, headers(known))


def headers(levels: Sequence[Level]) -> dict[str, str]:
    """What is told of quotas: each policy, what is left of it, and in how many seconds all of it is."""
    if not levels:
        return {}
    left = ", ".join(f'"{each.policy.name}";r={each.left}{_full(each)}' for each in levels)
    return {"ratelimit-policy": ", ".join(_policy(each.policy) for each in levels), "ratelimit": left}


def _policy(policy: Policy) -> str:
    window = "" if policy.unit == "concurrent-requests" else f";w={WINDOW_S}"
    unit = "" if policy.unit == "requests" else f';qu="{policy.unit}"'
    return f'"{policy.name}";q={policy.quota}{window}{unit}'


def _full(level: Level) -> str:
    """Of what is at work nobody knows when it ends."""
    return "" if level.policy.unit == "concurrent-requests" else f";t={math.ceil(level.full_s)}"
