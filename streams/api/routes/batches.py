"""Many events at once: read as they come, sent in groups, and an answer for each line.

NDJSON is read a line at a time, however many there are; a file of another format as a whole.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Send

from schemas.decoding import prepare
from schemas.records import Submission
from streams.api.bodies import whole
from streams.api.callers import Asking, Caller
from streams.api.problems import Problem, problem_of
from streams.runtime.errors import Refused
from streams.services.submitting import event_files
from streams.services.submitting.catalogue import subject_of
from streams.services.submitting.event_files import BadLine
from streams.services.submitting.submission import Submitted

LINE_MAX_BYTES = 1024 * 1024  # an event's record has at most so much
GROUP = 500  # lines that wait for one another's acknowledgement
NDJSON = "application/x-ndjson"
LINES = frozenset({NDJSON, "application/ndjson", "application/jsonl", "application/jsonlines"})
FILES = frozenset({"application/json", "text/csv", "text/tab-separated-values"})
Line = tuple[int, Any]


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one line: 202 once the broker has it, else a problem's members."""

    line: int
    status: int
    subject: str = ""
    version: int = 0
    event_id: str = ""
    code: str = ""
    field: str = ""
    detail: str = ""
    retryable: bool | None = None


@post(
    "/v1/products:batch",
    opt={"scope": "write"},
    status_code=207,
    request_max_body_size=None,
    responses={207: ResponseSpec(LineAnswer, description="A line of JSON for each event.", media_type=NDJSON)},
)
async def post_batch(request: Request[Caller, Any, Any], caller: Asking) -> Response[None]:
    """Many products and campaigns: NDJSON, or a file of JSON, CSV or TSV as `packshot submit` takes it."""
    kind = request.headers.get("Content-Type", NDJSON).partition(";")[0].strip().lower()
    if kind not in LINES | FILES:
        raise Problem("unsupported_media_type", f"{kind!r} is none of {', '.join(sorted(LINES | FILES))}")
    if kind in LINES:
        groups = _lines(request.stream())
    else:
        groups = _file(await whole(request.stream(), caller.settings.gateway_body_max_bytes))
    return _Lines(_answers(caller, groups))


class _Lines(Response[None]):
    """Lines that are answered while others are still being read."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        super().__init__(None)
        self._lines = lines

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIStreamingResponse:
        """The response as it is sent."""
        return _Duplex(iterator=self._lines, media_type=NDJSON, status_code=207)


class _Duplex(ASGIStreamingResponse):
    async def send_body(self, send: Send, receive: Receive) -> None:  # noqa: ARG002
        """Sends the lines. Litestar's own would listen for the end of the connection, and take the body for itself."""
        await self._stream(send)


async def _answers(caller: Caller, groups: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
    async for group in groups:
        for answer in await asyncio.to_thread(_send, caller, group):
            yield msgspec.json.encode(answer) + b"\n"


def _send(caller: Caller, group: Sequence[Line]) -> list[LineAnswer]:
    """Checks and sends a group; whatever is wrong with all of it is said of each line."""
    try:
        checked = iter(caller.catalogue.checked(caller.tenant, [value for _, value in group if _is_event(value)]))
        each = [(line, next(checked) if _is_event(value) else value) for line, value in group]
    except Exception as error:
        return [_refused(line, problem_of(error)) for line, _ in group]
    events = [event for _, event in each if not isinstance(event, Refused | Problem)]
    try:
        sent: Iterator[Submitted | Problem] = iter(caller.catalogue.send(events))
    except Exception as error:
        sent = iter([problem_of(error)] * len(events))
    return [_answer(line, event, sent) for line, event in each]


def _answer(line: int, event: Submission | Refused | Problem, sent: Iterator[Submitted | Problem]) -> LineAnswer:
    if isinstance(event, Refused | Problem):
        return _refused(line, problem_of(event))
    ended = next(sent)
    if isinstance(ended, Problem):
        return _refused(line, ended)
    named, version = subject_of(ended.event)
    return LineAnswer(line=line, status=202, subject=named, version=version, event_id=ended.event_id)


def _refused(line: int, problem: Problem) -> LineAnswer:
    return LineAnswer(
        line=line,
        status=problem.status,
        code=problem.code,
        field=problem.field,
        detail=problem.detail,
        retryable=problem.meaning.retryable,
    )


def _is_event(value: Any) -> bool:
    return not isinstance(value, Problem)


def _read_line(line: int, data: bytes) -> Iterator[Line]:
    return ((line, _value(each)) for each in event_files.values_in_line(data))


def _value(value: Any) -> Any:
    return Problem("invalid_event", value.message, field=value.field) if isinstance(value, BadLine) else value


async def _lines(stream: AsyncIterator[bytes]) -> AsyncIterator[Sequence[Line]]:
    group: list[Line] = []
    number, rest, skipping = 0, b"", False
    async for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        for data in whole:
            number += 1
            if skipping or len(data) > LINE_MAX_BYTES:
                group.append((number, Problem("record_too_large", f"a line has at most {LINE_MAX_BYTES} bytes")))
                skipping = False
            elif data.strip():
                group += _read_line(number, data)
            if len(group) >= GROUP:
                yield group
                group = []
        if len(rest) > LINE_MAX_BYTES:
            rest, skipping = b"", True
    if skipping:
        group.append((number + 1, Problem("record_too_large", f"a line has at most {LINE_MAX_BYTES} bytes")))
    elif rest.strip():
        group += _read_line(number + 1, rest)
    if group:
        yield group


async def _file(data: bytes) -> AsyncIterator[Sequence[Line]]:
    lines = await asyncio.to_thread(lambda: [(at, _value(each)) for at, each in event_files.values_in(data)])
    for first in range(0, len(lines), GROUP):
        yield lines[first : first + GROUP]


prepare(LineAnswer)

ROUTES: tuple[Any, ...] = (post_batch,)
