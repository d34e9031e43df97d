"""When a request is sent once more: what may work later, each time after a longer wait, or after Retry-After."""

import random
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from streams.client.base import News
from streams.client.problems import Unreachable, details_of, problem_of

TRIES = 5
WAIT_S = 0.5  # before the second try, twice as long before each one more, and half of it by chance
WAIT_MAX_S = 30.0
RETRY_AFTER_MAX_S = 120.0  # who is told to wait for longer is told so at once
AGAIN = frozenset({429, 502, 503, 504})
Outcome = httpx.Response | httpx.TransportError


class Tries:
    """The tries of one request."""

    def __init__(self, tries: int) -> None:
        self._left = tries - 1
        self._wait_s = WAIT_S

    def again_in_s(self, outcome: Outcome) -> float | None:
        """How long to wait before the next try; None when this outcome is the last."""
        retry_after_s = 0.0 if isinstance(outcome, httpx.TransportError) else _retry_after_s(outcome)
        if self._left <= 0 or retry_after_s is None or retry_after_s > RETRY_AFTER_MAX_S:
            return None
        wait_s = self._wait_s * random.uniform(0.5, 1.0)
        self._left, self._wait_s = self._left - 1, min(2 * self._wait_s, WAIT_MAX_S)
        return max(wait_s, retry_after_s)


def _retry_after_s(answer: httpx.Response) -> float | None:
    """The seconds that an answer asks to wait; None for one that is final."""
    details = details_of(answer.content) if answer.status_code >= 400 else None
    if answer.status_code not in AGAIN and not (details and details.retryable):
        return None
    after = answer.headers.get("Retry-After", "")
    if after.isascii() and after.isdigit():
        return float(after)
    try:
        return max(parsedate_to_datetime(after).timestamp() - time.time(), 0.0)
    except ValueError:
        return 0.0


def body_of(outcome: Outcome) -> bytes:
    """The body of an answer that is none of an error. Raises ClientError."""
    if isinstance(outcome, httpx.TransportError):
        raise Unreachable(str(outcome) or type(outcome).__name__) from outcome
    if not outcome.is_success:
        raise problem_of(outcome.status_code, outcome.content)
    return outcome.content


class Events:
    """What was heard of server-sent events, where to go on when the connection ends, and whether to."""

    def __init__(self, after: str | None, tries: int) -> None:
        self._last = after
        self._tries, self._tries_max = Tries(tries), tries
        self._fields: dict[str, str] = {}
        self.ended: Outcome = httpx.ReadError("the stream ended")

    @property
    def headers(self) -> dict[str, str]:
        """What asks for all that comes behind the last event."""
        return {"Accept": "text/event-stream"} | ({} if self._last is None else {"Last-Event-ID": self._last})

    def begins(self, answer: httpx.Response) -> bool:
        """Whether an answer is a stream; one that is none ends it."""
        self.ended = httpx.ReadError("the stream ended") if answer.is_success else answer
        return answer.is_success

    def read(self, line: str) -> Iterator[News]:
        """The news that a line completes."""
        self._tries = Tries(self._tries_max)
        if line:
            name, _, value = line.partition(":")
            self._fields[name] = value.removeprefix(" ")
            return
        fields, self._fields = self._fields, {}
        self._last = fields.get("id", self._last)  # the stream begins with where it stands, before anything happens
        if "data" in fields:
            named = {"type": fields.get("event", ""), "id": fields.get("id", "")}
            yield msgspec.convert({**msgspec.json.decode(fields["data"]), **named}, News)

    def again_in_s(self) -> float:
        """How long to wait before the next connection. Raises ClientError when there is to be none."""
        again_in_s, self._fields = self._tries.again_in_s(self.ended), {}
        if again_in_s is None:
            body_of(self.ended)
        return again_in_s or 0.0
