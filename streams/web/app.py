"""The desk's application: its pages, and what every request for one goes through."""

from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from streams.services.access.oidc import Provider
from streams.web.pages import HEADERS, answer
from streams.web.place import Place, Stores
from streams.web.routes import ROUTES
from streams.web.visitors import SignedIn, check_form, check_role, check_tenant, provide_visitor

BODY_MAX_BYTES = 1024 * 1024  # of a form; photographs say their own


def build(place: Place) -> ASGIApp:
    """The pages over a desk's stores, each answer with what keeps browsers from anything else."""
    return _guarded(pages(place))


def pages(place: Place) -> Litestar:
    """The pages alone."""
    return Litestar(
        [Router("/", route_handlers=list(ROUTES), guards=[check_tenant, check_role, check_form])],
        dependencies={"visitor": Provide(provide_visitor, sync_to_thread=False)},
        middleware=[DefineMiddleware(SignedIn, exclude_from_auth_key="open")],
        exception_handlers={Exception: answer},
        request_max_body_size=BODY_MAX_BYTES,
        state=State({"place": place, "provider": Provider(place.settings) if place.settings.oidc_issuer else None}),
        openapi_config=None,
        logging_config=None,
    )


def with_desk(api: ASGIApp, stores: Stores) -> ASGIApp:
    """The API with the desk beside it: / and what begins with /desk is the desk's."""
    desk = build(Place.of(stores))

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        asgi: Any = scope
        path = asgi["path"] if asgi["type"] == "http" else ""
        mine = path == "/" or path == "/desk" or path.startswith("/desk/")
        await (desk if mine else api)(scope, receive, send)

    return either


def _guarded(app: ASGIApp) -> ASGIApp:
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await app(scope, receive, sent)

    return guarded
