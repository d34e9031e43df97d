"""The application: its routes, and what every request goes through."""

from functools import cache
from typing import Any

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.types import ASGIApp

from streams.api import asyncapi, openapi, problems
from streams.api.callers import KeyAuthentication, check_scope, check_text, provide_caller
from streams.api.conditional import Conditional
from streams.api.gateway import Gateway, Nowhere
from streams.api.idempotency import Idempotent
from streams.api.limits import check_quota
from streams.api.routes import ROUTES
from streams.api.tracing import Traced
from streams.blobs import Blobs, open_store
from streams.facts import Database
from streams.runtime.settings import Settings
from streams.services.access.quotas import Quotas
from streams.services.ordering.admission import Admission
from streams.services.ordering.pictures import Pictures
from streams.services.ordering.replies import Replies
from streams.services.submitting.progress import Progress


def build_app(gateway: Gateway) -> Litestar:
    """The API over a gateway's stores and producer."""
    app = _app(gateway, None)
    stand_on(app, gateway)
    made = document()
    app.state.openapi, app.state.reference = openapi.encoded(made), openapi.page(made)
    app.state.asyncapi = openapi.encoded(asyncapi.document())
    return app


def build(gateway: Gateway) -> ASGIApp:
    """The same, with every request's trace and count, and answers that are known already left out."""
    return around(build_app(gateway))


def around(app: Litestar) -> ASGIApp:
    """An application as the server has it."""
    return Traced(Conditional(app))


def stand_on(app: Litestar, gateway: Gateway) -> None:
    """Has an application work on a gateway's stores and producer, with nobody's quota used."""
    settings = gateway.settings
    app.state.update({"gateway": gateway, "base_url": settings.gateway, "quotas": Quotas(settings)})


@cache
def document() -> dict[str, Any]:
    """The description of the API; the same whatever it stands on."""
    return openapi.document(_app(nothing(), openapi.CONFIG))


def _app(gateway: Gateway, config: OpenAPIConfig | None) -> Litestar:
    return Litestar(
        [Router("/", route_handlers=list(ROUTES), guards=[check_scope, check_text, check_quota])],
        dependencies={"caller": Provide(provide_caller, sync_to_thread=False)},
        middleware=[DefineMiddleware(KeyAuthentication, exclude_from_auth_key="open"), DefineMiddleware(Idempotent)],
        exception_handlers={Exception: problems.answer, HTTPException: problems.answer},
        request_max_body_size=gateway.settings.gateway_body_max_bytes,
        openapi_config=config,
        logging_config=None,
    )


def nothing() -> Gateway:
    """A gateway over nothing: to describe the API."""
    settings = Settings()
    database = Database("sqlite:///:memory:")
    pictures = Pictures(
        database, Blobs(open_store(settings.blobs)), Replies(settings), Nowhere(), Admission(lambda _own: {})
    )
    return Gateway(settings, database, Nowhere(), Progress(settings), pictures)
