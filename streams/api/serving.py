"""The role `gateway`: the API on uvicorn until it is told to stop; what is under way is answered before it ends.

What else it serves at the same address is put beside the API by whoever starts it.
"""

from collections.abc import Callable
from functools import partial
from types import FrameType

import structlog
import uvicorn
from litestar.types import ASGIApp

from streams.api.app import build
from streams.api.gateway import Gateway
from streams.api.protocol import protocol
from streams.blobs import Blobs, open_store
from streams.consumer.clients import AcknowledgedProducer
from streams.facts import Connectors, Database
from streams.facts.resealing import reseal
from streams.facts.sealing import Sealer
from streams.runtime.errors import Unavailable
from streams.runtime.health import STOPPING, Health, Turned
from streams.runtime.settings import Settings
from streams.runtime.waiting import Stopped, until, wait_out
from streams.services.integrations import connectors
from streams.services.operating import roles
from streams.services.ordering.admission import Admission, Unread
from streams.services.ordering.pictures import Pictures
from streams.services.ordering.replies import Replies
from streams.services.submitting.progress import Progress

ACKNOWLEDGED_WITHIN_S = 10.0  # longer than a broker takes to elect a leader; a caller waits no longer than that
ENDS_WITHIN_S = 20
IDLE_S = 65  # longer than proxies keep idle connections, so that they and not we close them

Beside = Callable[[ASGIApp, Gateway], ASGIApp]
"""The API with something beside it, over the same stores."""

log = structlog.get_logger()


def run_gateway(settings: Settings, beside: Beside) -> None:
    """Serves the API, and what is put beside it. Waits for a database that is away."""
    health = roles.begin(settings, "gateway")
    stop = roles.stop_on_signals()
    database = Database(settings.database)
    try:
        wait_out(partial(roles.prepare_tables, settings, database), until(stop))
        sealer = Sealer(settings.sealing_keys)
        wait_out(partial(reseal, database, sealer), until(stop))
        wait_out(partial(connectors.warm_up, Connectors(database, sealer)), until(stop))
    except Stopped:
        return
    producer = AcknowledgedProducer(settings, ACKNOWLEDGED_WITHIN_S)
    replies = Replies(settings)
    blobs = Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint))
    unread = Unread(settings)
    pictures = Pictures(database, blobs, replies, producer, Admission(unread.others))
    try:
        serve(Gateway(settings, database, producer, Progress(settings), pictures), beside, health)
    finally:
        unread.close()
        replies.close()
        producer.close()
        database.close()


def serve(gateway: Gateway, beside: Beside, health: Health) -> None:
    """Answers until SIGTERM or SIGINT."""
    settings = gateway.settings
    config = uvicorn.Config(
        beside(build(gateway), gateway),
        host=settings.gateway_host,
        port=settings.gateway_port,
        http=protocol(settings.gateway),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=ENDS_WITHIN_S,
        timeout_keep_alive=IDLE_S,
    )
    server = _Server(config)
    server.gateway, server.health, server.turned = gateway, health, health.loop("the server's loop")
    health.need("its database or the broker is away", lambda: _answers(gateway))
    health.need(STOPPING, lambda: not server.should_exit)
    server.run()


def _answers(gateway: Gateway) -> bool:
    try:
        gateway.check()
    except Unavailable:
        return False
    return True


class _Server(uvicorn.Server):
    gateway: Gateway
    health: Health
    turned: Turned

    async def on_tick(self, counter: int) -> bool:
        """Its loop turns ten times a second."""
        self.turned()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends those that listen for as long as there is something to hear; the others end by themselves."""
        self.gateway.progress.close()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Tells whoever started the role once it listens."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            log.info("ready", address=self.config.host, port=self.config.port)
            self.health.start()
