"""The door: signing in by a link, signing out, the first page, and the files that pages need."""

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from streams.runtime.errors import Refused
from streams.services.access import oidc, sessions
from streams.services.access.oidc import Provider
from streams.web import files
from streams.web.pages import SIGN_IN, UNSTORED, NotHere, page
from streams.web.place import Place
from streams.web.visitors import COOKIE, OPEN, VIEW, Looking

SEED_COOKIE = "packshot_oidc"
FORM_MAX_BYTES = 4096  # of what anybody may send
FIRST_TENANT = "demo"  # of the sample catalogue, where there is no product yet
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/", opt=OPEN, sync_to_thread=False)
def begin() -> Redirect:
    """The gateway's own address leads to the desk."""
    return Redirect("/desk", status_code=303)


@get("/desk", opt=VIEW, sync_to_thread=True)
def desk(visitor: Looking) -> Redirect:
    """The first page of the first tenant."""
    known = visitor.tenants
    tenant = FIRST_TENANT if FIRST_TENANT in known or not known else known[0]
    return Redirect(f"/desk/{tenant}/try", status_code=303, headers=UNSTORED)


@get(SIGN_IN, opt=OPEN, sync_to_thread=False)
def sign_in_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Takes the code out of the link, and signs in."""
    return _door(request)


@post(SIGN_IN, opt=OPEN, sync_to_thread=True, status_code=200, request_max_body_size=FORM_MAX_BYTES)
def sign_in(request: Request[Any, Any, Any], data: Form) -> Response[Any]:
    """Opens a session, once for each link."""
    place: Place = request.app.state.place
    try:
        token, _ = sessions.enter(place.database, data.get("code", "").strip())
    except Refused as refusal:
        return _door(request, refusal.message)
    return Redirect("/desk", status_code=303, headers=UNSTORED, cookies=[_cookie(request, token)])


@get("/desk/-/oidc", opt=OPEN, sync_to_thread=True)
def sign_in_elsewhere(request: Request[Any, Any, Any]) -> Redirect:
    """Sends a browser to the identity provider."""
    begun = _provider(request).begin()
    return Redirect(begun.address, status_code=303, headers=UNSTORED, cookies=[_seed(request, begun.seed)])


@get("/desk/-/oidc/back", opt=OPEN, sync_to_thread=True)
def back(request: Request[Any, Any, Any]) -> Response[Any]:
    """Opens a session for a browser that the identity provider sends back."""
    place: Place = request.app.state.place
    query = {name: str(value) for name, value in request.query_params.items()}
    try:
        token, _ = _provider(request).end(place.database, request.cookies.get(SEED_COOKIE, ""), query)
    except Refused as refusal:
        return _door(request, refusal.message)
    cookies = [_cookie(request, token), _seed(request, "")]
    return Redirect("/desk", status_code=303, headers=UNSTORED, cookies=cookies)


@post("/desk/-/sign-out", opt=VIEW, sync_to_thread=True)
def sign_out(request: Request[Any, Any, Any], visitor: Looking) -> Redirect:
    """Ends the session."""
    sessions.leave(visitor.place.database, visitor.session)
    return Redirect(SIGN_IN, status_code=303, headers=UNSTORED, cookies=[_cookie(request, "")])


@get("/desk/-/static/{version:str}/{name:str}", opt=OPEN, sync_to_thread=False)
def static(version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """A file that pages need."""
    data = files.of(version).get(name)
    if data is None:
        raise NotHere("there is no such file")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(data, media_type=f"{files.TYPES[name.rpartition('.')[2]]}; charset=utf-8", headers=headers)


def _door(request: Request[Any, Any, Any], wrong: str = "") -> Response[str]:
    made = page(None, "sign_in", wrong=wrong, elsewhere=request.app.state.provider is not None)
    made.status_code = 403 if wrong else 200
    return made


def _provider(request: Request[Any, Any, Any]) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise NotHere("nobody signs in by a provider here: PACKSHOT_OIDC_ISSUER names none")
    return provider


def _seed(request: Request[Any, Any, Any], seed: str) -> Cookie:
    """What the browser keeps while it is away; it comes back from another site, so that `strict` would lose it."""
    place: Place = request.app.state.place
    return Cookie(
        key=SEED_COOKIE,
        value=seed,
        path="/desk/-/oidc",
        max_age=oidc.SEED_S if seed else 0,
        httponly=True,
        samesite="lax",
        secure=place.settings.gateway.startswith("https:"),
    )


def _cookie(request: Request[Any, Any, Any], token: str) -> Cookie:
    """The session's cookie, which no script reads; one that is empty ends at once."""
    place: Place = request.app.state.place
    return Cookie(
        key=COOKIE,
        value=token,
        path="/desk",
        max_age=sessions.SESSION_MS // 1000 if token else 0,
        httponly=True,
        samesite="lax",
        secure=place.settings.gateway.startswith("https:"),
    )


ROUTES: tuple[Any, ...] = (begin, desk, sign_in_page, sign_in, sign_in_elsewhere, back, sign_out, static)
