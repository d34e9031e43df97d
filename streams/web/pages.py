"""How pages are made of templates, and what is answered where there is none."""

from functools import cache
from typing import Any

import msgspec
import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response
from litestar.enums import MediaType
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from schemas.text import MESSAGE_MAX, printable
from streams.blobs import StoreError
from streams.consumer.clients import NotAcknowledged
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.masking import masked
from streams.web import files, telling

SIGN_IN = "/desk/-/sign-in"
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# The menu: a page's address, its title, its sign as an SVG path of 16 × 16, and the templates that are part of it.
MENU = (
    ("try", "Try it", "M3 13h10M8 3v7m0-7L5 6m3-3 3 3", ("try",)),
    ("review", "Review", "M2 8.5 6 12l8-8", ("review", "mend")),
    ("sample", "Second look", "M1 8s3-5 7-5 7 5 7 5-3 5-7 5-7-5-7-5zm7-2a2 2 0 1 0 .1 0", ("sample",)),
    ("products", "Products", "M2 3h5v5H2zM9 3h5v5H9zM2 10h5v4H2zM9 10h5v4H9z", ("products", "product")),
    ("shelf", "Shelf", "M2 14V3m12 11V3M2 7h12M2 12h12M4 4h3v3H4zM9 9h3v3H9z", ("shelf",)),
    ("campaigns", "Campaigns", "M3 14V2m0 1h9l-2 3 2 3H3", ("campaigns", "campaign")),
    ("flow", "Live flow", "M1 8h3l2-5 4 10 2-5h3", ("flow", "letter")),
    ("quality", "Quality", "M3 14V9m5 5V3m5 11V6", ("quality", "agreement")),
    ("costs", "Costs", "M8 2v12M11 4.5C10 3 5 3 5 5.5S11 8 11 10.5 6 13 5 11.5", ("costs",)),
    ("library", "Library", "M2 3h3v10H2zM6.500 3h3v10h-3zM11 4l3-1 1 9-3 1z", ("library", "recipe", "model")),
    ("assessments", "Assessments", "M2 13V3h12v10zM4.500 11l3-3 2 2 3-4", ("assessments",)),
    ("audit", "Audit", "M4 2h8v12H4zM6 8l1.500 1.500L10.500 6.500", ("audit",)),
    ("connectors", "Connectors", "M3 8h4m2 0h4M7 5v6M9 5v6", ("connectors",)),
    ("keys", "Keys", "M6 10a3.5 3.5 0 1 1 3-3l5 5v2h-2l-1-1v-1H9.500z", ("keys",)),
    (
        "webhooks",
        "Webhooks",
        "M8 8 5 13m3-5 5 2M8 8V3M4 14a1 1 0 1 0 .1 0M13 11a1 1 0 1 0 .1 0M8 3a1 1 0 1 0 .1 0",
        ("webhooks",),
    ),
)
GONE = "client disconnected prematurely"  # what Litestar says of somebody who left before all was sent
UNSTORED = {"Cache-Control": "no-store"}

log = structlog.get_logger()


class SignedOut(Exception):
    """Nobody is signed in."""


class NotHere(Exception):
    """There is no such page, or it is another tenant's."""


class NotYours(Exception):
    """Somebody may not do this, or did not ask for it from a page of ours."""


@cache
def templates() -> Environment:
    """The templates; whatever is put into one is text, and never markup."""
    made = Environment(
        loader=PackageLoader("streams.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(telling.FILTERS)
    made.globals.update(asset_file=files.address, MENU=MENU, STATES=telling.STATES, ORDER=tuple(telling.STATES))
    return made


def page(visitor: Any, name: str, **context: Any) -> Response[str]:
    """A page for a visitor, or for nobody who is known; `name` is its template's."""
    return Response(part(visitor, name, **context), media_type=MediaType.HTML, headers=UNSTORED)


def part(visitor: Any, name: str, **context: Any) -> str:
    """A page or a part of one as HTML."""
    return templates().get_template(f"{name}.html").render(visitor=visitor, here=name, **context)


def conforms(text: str, kind: Any) -> bool:
    """Whether a text is one of a kind that records have."""
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The page that an error is; JSON for what a script fetched."""
    if isinstance(error, SignedOut):
        return _signed_out(request)
    status, title, text = error_texts(error)
    text = printable(masked(text), MESSAGE_MAX)
    if _is_fetched(request):
        return Response({"title": title, "detail": text}, status_code=status, headers=UNSTORED)
    made = page(None, "error", title=title, text=text)
    made.status_code = status
    return made


def _signed_out(request: Request[Any, Any, Any]) -> Response[Any]:
    if _is_fetched(request):
        return Response({"title": "Signed out", "detail": "Sign in again."}, status_code=401, headers=UNSTORED)
    return Redirect(SIGN_IN, status_code=303, headers=UNSTORED)


def _is_fetched(request: Request[Any, Any, Any]) -> bool:
    return request.headers.get("Sec-Fetch-Mode") in ("cors", "same-origin") or "X-Form-Token" in request.headers


def error_texts(error: Exception) -> tuple[int, str, str]:
    """Status, title and text. What nobody foresaw is logged, and tells nothing of our inside."""
    match error:
        case NotHere():
            return 404, "Not found", str(error)
        case NotYours():
            return 403, "Not allowed", str(error)
        case Refused():
            gone = error.code.startswith("unknown_") or error.code == "picture_gone"
            return 404 if gone else 422, "That does not work", error.message
        case Unavailable() | StoreError() | NotAcknowledged():
            log.warning("away", reason=str(error))
            return (
                503,
                "Something is away",
                "The database, a store or the broker does not answer. Try again in a moment.",
            )
        case HTTPException() if error.detail == GONE:
            return 400, "That does not work", error.detail
        case HTTPException() if error.status_code < 500:
            return error.status_code, "Not found" if error.status_code == 404 else "That does not work", error.detail
    log.exception("unexpected error", exc_info=error)
    return 500, "An error of ours", "Nobody foresaw this. It is in the gateway's log."
