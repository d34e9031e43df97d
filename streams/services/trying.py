"""One photograph from a page, made and judged at once on this machine: nothing of it is kept."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streams.runtime.errors import Refused
from streams.runtime.settings import Settings

if TYPE_CHECKING:
    from gpu_workers.local.studio import Output
    from gpu_workers.sources.http import Readable

WAITS_S = 60.0  # for who is before, each of whom takes a few seconds
_turn = threading.Semaphore(1)  # a picture takes a core and hundreds of MB: one at a time, whoever asks


def render(
    settings: Settings, operation: str, channel: str | None, category: str, name: str, stream: "Readable"
) -> "Output":
    """The picture that an operation makes of a photograph called `name`. Raises Refused."""
    from gpu_workers.local.studio import Source
    from gpu_workers.pools.cutout import fetch_limits
    from gpu_workers.sources.fetch import SourceError, from_stream
    from streams.services.local_render import open_studio

    try:
        source = Source(name, from_stream(name, stream, fetch_limits(settings)))
    except SourceError as error:
        raise Refused.because(error) from error
    with turn(), open_studio(settings) as studio:
        return studio.render(studio.order(operation, channel, category, {}), [source])


@contextmanager
def turn() -> Iterator[None]:
    """Waits until nobody else's picture is made here. Raises Refused after WAITS_S."""
    if not _turn.acquire(timeout=WAITS_S):
        raise Refused("busy", "others are before you: try again in a moment", transient=True)
    try:
        yield
    finally:
        _turn.release()
