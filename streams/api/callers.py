"""Who asks: the key of a request, and the tenant that it is about."""

import asyncio
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import unquote_to_bytes

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult

from streams.api.gateway import Gateway
from streams.api.problems import Problem
from streams.facts import Facts
from streams.facts.keys import ApiKey
from streams.flow.relay import Sender
from streams.runtime.settings import Settings
from streams.services.access import keys
from streams.services.submitting.catalogue import Catalogue

OPEN = {"open": True}  # of a route that needs no key
TENANT = "Packshot-Tenant"


class Caller:
    """A key that is valid, and the one tenant of it that a request is about."""

    def __init__(self, gateway: Gateway, key: ApiKey, tenant: str) -> None:
        self.gateway = gateway
        self.key = key
        self.tenant = tenant

    @property
    def settings(self) -> Settings:
        """The gateway's settings."""
        return self.gateway.settings

    @property
    def sender(self) -> Sender:
        """Where what the caller writes goes."""
        return self.gateway.sender(self.key)

    @property
    def catalogue(self) -> Catalogue:
        """What takes the caller's products and campaigns."""
        return self.gateway.catalogue(self.key)

    def read(self) -> AbstractContextManager[Facts]:
        """A consistent look at the facts."""
        return self.gateway.database.read()

    @property
    def name(self) -> str:
        """Who decided something, as it is kept."""
        return f"api/{self.key.name}"


class KeyAuthentication(AbstractAuthenticationMiddleware):
    """Asks every route for a key but those that are open."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """The caller. Raises Problem."""
        text = _key_of(connection)
        gateway: Gateway = connection.app.state.gateway
        key = await asyncio.to_thread(keys.opened, gateway.database, text)
        if key is None:
            raise Problem("key_unknown" if text else "key_required")
        return AuthenticationResult(Caller(gateway, key, _tenant(connection, key)), None)


def _key_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    scheme, _, text = connection.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else connection.headers.get("X-Api-Key", "")


def _tenant(connection: ASGIConnection[Any, Any, Any, Any], key: ApiKey) -> str:
    named = connection.headers.get(TENANT)
    if named is None and len(key.tenants) > 1:
        raise Problem("tenant_required", field=TENANT)
    tenant = named or key.tenants[0]
    if tenant not in key.tenants:
        raise Problem("tenant_forbidden", field=TENANT)
    return tenant


def check_text(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Refuses an address that is no UTF-8: servers put U+FFFD for it, and two names would be one. Raises Problem."""
    scope: Any = connection.scope
    for field, part in (("path", (scope.get("raw_path") or b"").partition(b"?")[0]), ("query", scope["query_string"])):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError as error:
            raise Problem("malformed_request", f"the {field} is no UTF-8", field=field) from error


def check_scope(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuses a key that may not do what the route does; each says its scope, or that it is open."""
    if connection.scope.get("method") == "OPTIONS":  # Litestar has a handler for it, which forgets some of the methods
        (route,) = (each for each in connection.app.routes if each.path_format == connection.scope["path_template"])
        raise MethodNotAllowedException(headers={"allow": ", ".join(route.methods)})
    if handler.opt.get("open"):
        return
    scope = handler.opt["scope"]
    if scope not in connection.user.key.scopes:
        raise Problem("scope_missing", f"this needs the scope {scope!r}")


Asking = NamedDependency[Caller]
"""The caller, as a handler takes it."""


def provide_caller(request: Request[Caller, Any, Any]) -> Caller:
    """The caller of a request, for handlers."""
    return request.user
