"""The hooks of shops: checked, written to Kafka as they came, and answered. What follows is the role `connectors`'."""

import asyncio
from typing import Any

from litestar import Request, post
from litestar.enums import MediaType
from litestar.params import FromPath

from schemas import topics
from streams.api.callers import OPEN
from streams.api.gateway import Gateway
from streams.services.integrations import connectors

BODY_MAX_BYTES = topics.WRITTEN_BY_OTHERS_BYTES - topics.STORY_BYTES  # as its topic takes it; the sweep finds the rest


@post(
    "/hooks/{connector:str}",
    opt=OPEN,
    status_code=200,
    media_type=MediaType.TEXT,
    include_in_schema=False,
    request_max_body_size=BODY_MAX_BYTES,
)
async def receive_hook(request: Request[Any, Any, Any], connector: FromPath[str]) -> str:
    """What a shop tells, signed as it signs. 200 means that the broker has it."""
    gateway: Gateway = request.app.state.gateway
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    await asyncio.to_thread(connectors.receive, gateway.connectors, gateway.producer, connector, headers, body)
    return "ok\n"


ROUTES: tuple[Any, ...] = (receive_hook,)
