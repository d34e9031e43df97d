"""Errors, in one shape everywhere: RFC 9457, with the code, the culprit, whether to ask again, and the trace."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException
from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from schemas.decoding import prepare
from schemas.text import MESSAGE_MAX, printable
from streams.api.codes import CODES, Meaning
from streams.blobs import StoreError
from streams.consumer.clients import NotAcknowledged, TooLarge
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.masking import masked

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
_OF_STATUS = {
    400: "malformed_request",
    401: "key_required",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
}

_LACKING = re.compile(r"(?:missing required|contains unknown) field `([^`]+)`")  # msgspec's words

log = structlog.get_logger()


class FieldError(msgspec.Struct, frozen=True):
    """One field that is wrong, as `sources[0].uri`, and why."""

    field: str
    message: str


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every error answers. `type` is a page that explains `code`; `retryable`: the same may work later."""

    type: str
    title: str
    status: int
    code: str
    retryable: bool | None = None
    trace_id: str
    detail: str = ""
    instance: str = ""
    field: str = ""
    errors: Sequence[FieldError] = ()
    violated_policies: Sequence[str] = msgspec.field(default=(), name="violated-policies")


class Problem(Exception):
    """An answer that is an error. `status` only where it is another than the code's own."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        field: str = "",
        status: int | None = None,
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
        violated: Sequence[str] = (),
        allow: str | None = None,
    ) -> None:
        super().__init__(detail or code)
        self.code, self.detail, self.field, self.errors, self.allow = code, detail, field, errors, allow
        self.retry_after_s, self.violated, self._status = retry_after_s, violated, status

    @property
    def meaning(self) -> Meaning:
        """What the code means; one that is not ours is refused in its own words."""
        return CODES.get(self.code, CODES["refused"])

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._status or self.meaning.status

    @property
    def headers(self) -> dict[str, str]:
        """What a caller is told besides."""
        after_s = self.retry_after_s or (RETRY_AFTER_S if self.meaning.retryable else None)
        challenge = 'Bearer realm="packshot"' if self.status == 401 else None
        headers = {"Retry-After": after_s, "WWW-Authenticate": challenge, "Allow": self.allow}
        return {"Cache-Control": "no-store"} | {name: str(each) for name, each in headers.items() if each is not None}

    def details(self, base_url: str, instance: str, trace_id: str) -> ProblemDetails:
        """The body."""
        page = self.code if self.code in CODES else "refused"
        return ProblemDetails(
            type=f"{base_url}/problems/{page}",
            title=self.meaning.title,
            status=self.status,
            code=self.code,
            retryable=self.meaning.retryable,
            trace_id=trace_id,
            detail=printable(masked(self.detail), MESSAGE_MAX),
            instance=instance,
            field=printable(self.field, MESSAGE_MAX),
            errors=self.errors,
            violated_policies=self.violated,
        )


def problem_of(error: Exception) -> Problem:
    """What an error is to the caller. What nobody foresaw is logged, and tells nothing of our inside."""
    match error:
        case Problem():
            return error
        case Refused():
            return Problem(error.code, error.message, field=error.field)
        case TooLarge():
            return Problem("record_too_large", str(error))
        case NotAcknowledged():
            return Problem("not_acknowledged", "the broker did not take it in time")
        case Unavailable() | StoreError():
            log.warning("away", reason=str(error))
            return Problem("unavailable", "a store, the database or the broker is away")
        case RecursionError() | UnicodeDecodeError():  # msgspec's words for a body that nests too deep, or is no UTF-8
            log.warning("a body cannot be read", error=type(error).__name__)
            return Problem("invalid_event", "the body is no JSON that can be read: too deep, or no UTF-8")
        case InternalServerException(detail="client disconnected prematurely"):  # Litestar's words
            return Problem("malformed_request", "the connection ended before the body did")
        case HTTPException() if error.status_code in _OF_STATUS:
            return Problem(_OF_STATUS[error.status_code], error.detail, allow=_allowed(error))
    log.exception("unexpected error", exc_info=error)
    return Problem("unexpected")


def _allowed(error: HTTPException) -> str | None:
    """The methods that there are, which a 405 has to tell (RFC 9110)."""
    headers = (error.headers or {}).get("allow")
    return None if headers is None else ", ".join(sorted({*headers.split(", ")} - {"OPTIONS"}))


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The response to an error."""
    problem = _of_validation(request, error) or problem_of(error)
    details = problem.details(request.app.state.base_url, request.url.path, trace_id())
    body = msgspec.json.encode(details)
    return Response(body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def _of_validation(request: Request[Any, Any, Any], error: Exception) -> Problem | None:
    """What is wrong in a body or a parameter that Litestar could not convert."""
    extra: Any = getattr(error, "extra", None)
    if not isinstance(error, HTTPException) or error.status_code != 400 or not isinstance(extra, list):
        return None
    names = _names(request)
    wrong = [FieldError(_field(each, names), _message(each)) for each in extra]
    is_body = any(each.get("source") in ("body", None) for each in extra)
    detail = "; ".join(f"{each.field}: {each.message}".removeprefix(": ") for each in wrong)
    code = "invalid_event" if is_body else "malformed_request"
    return Problem(code, detail, field=wrong[0].field if wrong else "", errors=wrong)


def _names(request: Request[Any, Any, Any]) -> Mapping[str, str]:
    """What callers call the parameters, by our functions' arguments, where those are called otherwise."""
    parameters = request.scope["route_handler"].parsed_fn_signature.parameters
    named = {name: getattr(each.kwarg_definition, "name", None) for name, each in parameters.items()}
    return {name: str(given) for name, given in named.items() if given}


def _field(wrong: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The parameter or the field as the caller named it, and in a body the one that is lacking or unknown itself."""
    name = str(wrong.get("key", ""))
    if name != "data" and wrong.get("source") != "body":
        return names.get(name, name)
    found = _LACKING.search(_message(wrong))
    return ".".join(filter(None, ("" if name == "data" else name, found and found[1])))


def _message(wrong: Mapping[str, Any]) -> str:
    message = str(wrong.get("message", ""))
    return "there is no body" if message == "'data'" else message  # our handlers' argument, which nothing filled


def trace_id() -> str:
    """The id of the trace that the request is part of."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id if context.is_valid else RandomIdGenerator().generate_trace_id())


def page(code: str, meaning: Meaning) -> str:
    """The page that explains a code."""
    again = "The same request may work later." if meaning.retryable else "The same request will not work later."
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(code)}</title>'
        f"<h1>{html.escape(meaning.title)}</h1><p><code>{html.escape(code)}</code>, HTTP {meaning.status}. {again}</p>"
        f"<p>{html.escape(meaning.text)}</p><p><a href='/problems'>All codes</a> · <a href='/docs'>The API</a></p>"
    )


def index(codes: Mapping[str, Meaning]) -> str:
    """The page of all codes."""
    rows = "".join(
        f"<tr><td>{each.status}<td><a href='/problems/{code}'>{code}</a><td>{html.escape(each.title)}"
        for code, each in codes.items()
    )
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Problems</title><table>{rows}</table></html>'


prepare(FieldError, ProblemDetails)
