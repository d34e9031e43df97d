"""The quality gates: one file for each point of the checklist, found by itself. Pure.

A gate is a module of this folder: what it is of (`POINT`), the limits that it sets itself (`THRESHOLDS`), and what it
says of a picture's measures (`checks`). `Gate` is that as a type. Whether a picture goes live is said by
`streams.flow.processors.judging`, which asks every gate, and demands what was to be measured.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Literal, Protocol, cast, get_args

from schemas.channels import Channel
from schemas.operations.base import Point
from schemas.records import Check, CheckOutcome

GATES = "gates@2026-11.3"
# In the order in which verdicts have always told of what was not measured; a point besides comes after these.
CHECKLIST: tuple[str, ...] = get_args(Point)
BY_EYE = "chosen by eye"
PLANTED = (
    "four good rendered packshots and what faults made of them; round numbers by eye, see Quality gates in loadtest"
)
BY_PLANTING = "make calibrate-gates"

Measures = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A limit of ours: at most (≤) or at least (≥) `limit`, else the check's outcome is `otherwise`.

    Beyond `fails`, where there is one, it fails in any case. `data` says what it was fitted on, and `command` what fits
    it. A `where_measured` one says nothing of pictures that have no such measure; others then say `not_run`.
    """

    measure: str
    bound: Literal["≤", "≥"]
    limit: float
    unit: str
    otherwise: Literal["review", "fail"]
    data: str
    command: str
    fails: float | None = None
    where_measured: bool = False


class Gate(Protocol):
    """What a module of this folder has."""

    POINT: str
    THRESHOLDS: tuple[Threshold, ...]

    def checks(self, measures: Measures, channel: Channel, /) -> list[Check]:
        """What the gate says of measures, all finite, of a picture for a channel."""


@cache
def gates() -> tuple[Gate, ...]:
    """Every gate, in the order of the checklist."""
    found = [cast(Gate, import_module(f"{__name__}.{each.name}")) for each in iter_modules(__path__)]
    return tuple(sorted(found, key=lambda gate: (_place(gate.POINT), gate.POINT)))


def _place(point: str) -> int:
    return CHECKLIST.index(point) if point in CHECKLIST else len(CHECKLIST)


def held(point: str, thresholds: Iterable[Threshold], measures: Measures) -> list[Check]:
    """The measures against thresholds of a gate."""
    applicable = (each for each in thresholds if each.measure in measures or not each.where_measured)
    return [_against(point, each, measures) for each in applicable]


def _against(point: str, threshold: Threshold, measures: Measures) -> Check:
    measured = measures.get(threshold.measure)
    beyond = threshold.fails is not None and measured is not None and round(measured, 6) > threshold.fails
    limit = at_most if threshold.bound == "≤" else at_least
    return limit(point, threshold.measure, measures, threshold.limit, "fail" if beyond else threshold.otherwise)


def at_most(
    point: str, name: str, measures: Measures, limit: float, otherwise: CheckOutcome, rule: str = GATES
) -> Check:
    """That a measure is no more than a limit; `otherwise` when it is, `not_run` without a figure."""
    return _check(point, name, measures, f"≤ {limit:g}", lambda value: value <= limit, otherwise, rule)


def at_least(
    point: str, name: str, measures: Measures, limit: float, otherwise: CheckOutcome, rule: str = GATES
) -> Check:
    """That a measure is no less than a limit; `otherwise` when it is, `not_run` without a figure."""
    return _check(point, name, measures, f"≥ {limit:g}", lambda value: value >= limit, otherwise, rule)


def _check(
    point: str,
    name: str,
    measures: Measures,
    limit: str,
    holds: Callable[[float], bool],
    otherwise: CheckOutcome,
    rule: str,
) -> Check:
    measured = measures.get(name)
    if measured is None:
        return Check(point=point, name=name, outcome="not_run", limit=limit, rule=rule)
    outcome: CheckOutcome = "pass" if holds(round(measured, 6)) else otherwise
    return Check(point=point, name=name, outcome=outcome, measured=measured, limit=limit, rule=rule)
