"""Who looks: the session of a request, the tenant that its address names, and whether it may do what it asks for."""

import asyncio
import hmac
from typing import Any
from urllib.parse import quote

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult

from schemas.records import Name
from streams.facts import EVERY, DeskSession
from streams.services.access import sessions
from streams.web.pages import NotHere, NotYours, SignedOut, conforms
from streams.web.place import Place

COOKIE = "packshot_desk"
OPEN = {"open": True}  # of a page that needs nobody signed in
ROLES = ("viewer", "reviewer", "operator")  # each may do what those before it may
VIEW, REVIEW, OPERATE = ({"role": role} for role in ROLES)
FORM_TOKEN, FORM_HEADER = "form_token", "X-Form-Token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OURS = frozenset({"same-origin", "none"})  # of Sec-Fetch-Site: our own pages, and what a person typed


class Visitor:
    """Somebody who is signed in, and the one tenant that a page is about; "" on pages that are about none."""

    def __init__(self, place: Place, session: DeskSession, token: str, tenant: str) -> None:
        self.place = place
        self.session = session
        self.tenant = tenant
        self.form_token = sessions.form_token(token)

    @property
    def name(self) -> str:
        """Who decided something, as it is kept."""
        return f"desk/{self.session.name}"

    def may(self, role: str) -> bool:
        """Whether the session's role is as good as this one."""
        return ROLES.index(self.session.role) >= ROLES.index(role)

    @property
    def tenants(self) -> list[str]:
        """The tenants that there are to look at, by name."""
        if EVERY not in self.session.tenants:
            return sorted(self.session.tenants)
        with self.place.read() as facts:
            return facts.overviews.tenants()

    def address(self, page: str, **query: object) -> str:
        """The address of a page about the tenant."""
        text = "&".join(
            f"{name}={quote(str(value), safe='')}" for name, value in query.items() if value not in (None, "")
        )
        return f"/desk/{self.tenant}/{page}{'?' if text else ''}{text}"


class SignedIn(AbstractAuthenticationMiddleware):
    """Asks every page for a session but those that are open."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """The visitor. Raises SignedOut."""
        place: Place = connection.app.state.place
        token = connection.cookies.get(COOKIE, "")
        session = await asyncio.to_thread(sessions.opened, place.database, token)
        if session is None:
            raise SignedOut
        return AuthenticationResult(Visitor(place, session, token, connection.path_params.get("tenant", "")), None)


def check_tenant(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Another tenant's page is none: it is not told that there is such a tenant."""
    if handler.opt.get("open") or "tenant" not in connection.path_params:
        return
    if not conforms(connection.user.tenant, Name) or not connection.user.session.opens(connection.user.tenant):
        raise NotHere("there is no such page")


def check_role(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuses somebody whose role does not do what the route does; each says its role, or that it is open."""
    if not handler.opt.get("open") and not connection.user.may(handler.opt["role"]):
        raise NotYours(f"this needs the role {handler.opt['role']}, and you are {connection.user.session.role}")


async def check_form(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuses what changes something and does not come from a page of ours, of this session."""
    scope: Any = connection.scope
    if scope["method"] in SAFE:
        return
    if connection.headers.get("Sec-Fetch-Site", "none") not in OURS:
        raise NotYours("the request comes from another site")
    if handler.opt.get("open"):
        return
    token = connection.headers.get(FORM_HEADER) or await _in_form(connection)
    if not hmac.compare_digest(token.encode(), connection.user.form_token.encode()):
        raise NotYours("the form is not of this session: load the page again")


async def _in_form(connection: Any) -> str:
    kind = connection.headers.get("Content-Type", "").partition(";")[0]
    return str((await connection.form()).get(FORM_TOKEN, "")) if kind == "application/x-www-form-urlencoded" else ""


Looking = NamedDependency[Visitor]
"""The visitor, as a handler takes it."""


def provide_visitor(request: Request[Visitor, Any, Any]) -> Visitor:
    """The visitor of a request, for handlers."""
    return request.user
