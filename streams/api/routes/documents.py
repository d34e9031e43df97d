"""What anybody may ask: is it alive, is it ready, what is there, what does a code mean."""

from typing import Any

from litestar import Request, Response, get
from litestar.enums import MediaType
from litestar.params import FromPath

from streams.api import problems
from streams.api.callers import OPEN
from streams.api.codes import CODES
from streams.api.gateway import Gateway
from streams.api.problems import Problem

AnyRequest = Request[Any, Any, Any]


@get("/livez", opt=OPEN, sync_to_thread=False, media_type=MediaType.TEXT)
def livez() -> str:
    """Whether this process answers."""
    return "ok\n"


@get("/readyz", opt=OPEN, sync_to_thread=True, media_type=MediaType.TEXT)
def readyz(request: AnyRequest) -> str:
    """Whether what every request needs answers, too: 503 while the database or the broker is away."""
    gateway: Gateway = request.app.state.gateway
    gateway.check()
    return "ok\n"


@get("/problems", opt=OPEN, sync_to_thread=False, media_type=MediaType.HTML, include_in_schema=False)
def list_problems() -> str:
    """The page of all codes."""
    return problems.index(CODES)


@get("/problems/{code:str}", opt=OPEN, sync_to_thread=False, media_type=MediaType.HTML, include_in_schema=False)
def get_problem(code: FromPath[str]) -> str:
    """The page that a problem's `type` names."""
    if code not in CODES:
        raise Problem("unknown_code", field="code")
    return problems.page(code, CODES[code])


@get("/openapi.json", opt=OPEN, sync_to_thread=False, include_in_schema=False)
def openapi(request: AnyRequest) -> Response[bytes]:
    """What there is, as OpenAPI 3.1."""
    return Response(request.app.state.openapi, media_type="application/vnd.oai.openapi+json;version=3.1")


@get("/asyncapi.json", opt=OPEN, sync_to_thread=False, include_in_schema=False)
def topics(request: AnyRequest) -> Response[bytes]:
    """The topics, as AsyncAPI 3."""
    return Response(request.app.state.asyncapi, media_type="application/vnd.aai.asyncapi+json;version=3.0.0")


@get("/docs", opt=OPEN, sync_to_thread=False, media_type=MediaType.HTML, include_in_schema=False)
def reference(request: AnyRequest) -> str:
    """What there is, as a page."""
    return str(request.app.state.reference)


ROUTES: tuple[Any, ...] = (livez, readyz, list_problems, get_problem, openapi, topics, reference)
