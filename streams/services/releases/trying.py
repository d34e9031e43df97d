"""One photograph from a page, made and judged at once on this machine: nothing of it is kept."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from schemas.records import CatalogChanged
from schemas.records import Source as Photograph
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.ordering.orders import Order, drawn

if TYPE_CHECKING:
    from gpu_workers.local.studio import Output, Source
    from gpu_workers.sources.http import Readable

WAITS_S = 60.0  # for who is before, each of whom takes a few seconds
_turn = threading.Semaphore(1)  # a picture takes a core and hundreds of MB: one at a time, whoever asks


def render(
    settings: Settings, operation: str, channel: str | None, category: str, name: str, stream: "Readable"
) -> "Output":
    """The picture that an operation makes of a photograph called `name`. Raises Refused."""
    from streams.services.ordering.local_render import open_studio

    source = _read(settings, name, stream)
    with turn(), open_studio(settings) as studio:
        return studio.render(studio.order(operation, channel, category, {}), [source])


def render_recipe(settings: Settings, database: Database, order: Order, name: str, stream: "Readable") -> "Output":
    """What an order's recipe makes of a photograph called `name`, for the order's channel. Raises Refused."""
    from gpu_workers.local.studio import Output
    from streams.flow.processors.planning import Slip
    from streams.services.ordering.local_render import open_studio
    from streams.services.releases import preview

    with database.read() as facts:
        step = drawn(order, facts.recipes.cookbook()).step
    photograph = Photograph(uri=name)  # whose file is known by that: nothing is fetched
    known = {photograph.uri: _read(settings, name, stream).fetched.data}
    planned = [(_product(order, photograph), photograph, Slip(step, "", {}, {}))]
    with turn(), open_studio(settings) as studio:
        (entry,) = preview.made(settings, studio, planned, lambda _done, _total: None, known)
    picture = entry.pictures[-1]  # one on the way to it may be an asset, too
    if picture.made is None:
        raise Refused("not_made", picture.why, field="photograph")
    made = picture.made
    return Output(made.file, made.media_type, made.measures, made.verdict)


def _product(order: Order, photograph: Photograph) -> CatalogChanged:
    """A product that has nothing but the photograph."""
    return CatalogChanged(
        tenant=order.tenant,
        sku="photograph",
        version=1,
        category=order.category,
        sources=[photograph],
        channels=[order.channel or ""],
    )


def _read(settings: Settings, name: str, stream: "Readable") -> "Source":
    from gpu_workers.local.studio import Source
    from gpu_workers.pools.cutout import fetch_limits
    from gpu_workers.sources.fetch import SourceError, from_stream

    try:
        return Source(name, from_stream(name, stream, fetch_limits(settings)))
    except SourceError as error:
        raise Refused.because(error) from error


@contextmanager
def turn() -> Iterator[None]:
    """Waits until nobody else's picture is made here. Raises Refused after WAITS_S."""
    if not _turn.acquire(timeout=WAITS_S):
        raise Refused("busy", "others are before you: try again in a moment", transient=True)
    try:
        yield
    finally:
        _turn.release()
