"""How Faust's app is, told to who watches the process."""

import threading
from collections.abc import Collection
from typing import Any

from streams.runtime.health import NOT_JOINED, STOPPING, Health


def follow(app: Any, health: Health, stopping: threading.Event, every_s: float) -> None:
    """Lets it hear that Faust's loop turns, which partitions are ours, and that the role is told to stop."""
    joined, turned = threading.Event(), health.loop("the loop of Faust")

    async def turn() -> None:
        turned()

    async def begin() -> None:
        health.start()

    async def join(_app: Any, _assigned: Collection[Any], **_more: Any) -> None:
        joined.set()

    async def leave(_app: Any, _revoked: Collection[Any], **_more: Any) -> None:
        joined.clear()

    health.need(NOT_JOINED, joined.is_set)
    health.need(STOPPING, lambda: not stopping.is_set())
    app.task()(begin)
    app.timer(every_s)(turn)
    app.on_partitions_assigned.connect(join, weak=False)
    app.on_partitions_revoked.connect(leave, weak=False)
