"""What follows from an answer: when a delivery is tried again, and how its endpoint stands. Pure; no clock, no I/O.

A delivery has a schedule of its own, the standard's. Beside that an endpoint that is away (no answer, 429, 502, 503,
504, or whoever sends Retry-After) is left alone for a while as a whole, and then asked with one delivery at a time:
else each of its many deliveries would find out anew that nobody is there.
"""

from dataclasses import dataclass
from typing import Literal

DELAYS_S = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)  # before each try: 75 h 35 min 5 s in all
JITTER_SHARE = 0.1
RETRY_AFTER_MAX_S = 86_400.0
PAUSE_S = 5.0  # of an endpoint that is away, twice as long each time in a row, as the schedule's first delays
PAUSE_MAX_S = 300.0
DISABLED_AFTER_S = 120 * 3600.0  # without one success: longer than any delivery's schedule
GONE = 410
AWAY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Answer:
    """What came of a POST: a status, or None and the reason why there is none. `reason` may be the answer's begin."""

    status: int | None
    reason: str = ""
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver has it; a redirect is a failure."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_away(self) -> bool:
        """Whether the endpoint as a whole is better left alone."""
        return self.status is None or self.status in AWAY or self.retry_after_s is not None


@dataclass(frozen=True)
class Health:
    """How an endpoint stands: since when nothing has succeeded, pauses in a row, until when it is left alone."""

    failing_since_ms: int | None = None
    pauses: int = 0
    not_before_ms: int = 0


@dataclass(frozen=True)
class Ruling:
    """What becomes of a delivery and of its endpoint; `disabled` says why it is to be, if it is."""

    state: Literal["delivered", "waiting", "failed"]
    due_at_ms: int
    health: Health
    disabled: str = ""


def ruling(tries: int, health: Health, answer: Answer, began_ms: int, now_ms: int, jitter: float) -> Ruling:
    """What follows from the answer to the last of `tries`, which began and ended then. `jitter` is from 0 to 1."""
    if answer.is_success:
        return Ruling("delivered", now_ms, Health())
    failing = Health(health.failing_since_ms or began_ms, health.pauses, health.not_before_ms)
    if answer.is_away:
        failing = _paused(failing, answer, began_ms, now_ms)
    disabled = _disabled(failing, answer, now_ms)
    if answer.status == GONE or tries >= len(DELAYS_S):
        return Ruling("failed", now_ms, failing, disabled)
    due_at_ms = now_ms + round(DELAYS_S[tries] * (1 + JITTER_SHARE * jitter) * 1000)
    return Ruling("waiting", max(due_at_ms, now_ms + _retry_after_ms(answer)), failing, disabled)


def _paused(health: Health, answer: Answer, began_ms: int, now_ms: int) -> Health:
    """Those that began before the last pause have nothing new to tell, but for a longer time that they name."""
    is_new = began_ms >= health.not_before_ms
    pauses = health.pauses + is_new
    pause_ms = round(min(PAUSE_S * 2 ** min(pauses - 1, 10), PAUSE_MAX_S) * 1000) if is_new else 0
    until_ms = max(health.not_before_ms, now_ms + max(pause_ms, _retry_after_ms(answer)))
    return Health(health.failing_since_ms, pauses, until_ms)


def _retry_after_ms(answer: Answer) -> int:
    return round(min(answer.retry_after_s or 0.0, RETRY_AFTER_MAX_S) * 1000)


def _disabled(health: Health, answer: Answer, now_ms: int) -> str:
    if answer.status == GONE:
        return "it answered 410 Gone"
    if health.failing_since_ms is not None and now_ms - health.failing_since_ms >= DISABLED_AFTER_S * 1000:
        return f"nothing has succeeded for {DISABLED_AFTER_S / 3600:.0f} hours"
    return ""
