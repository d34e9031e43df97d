"""A role as `packshot run` runs it, which ends by SIGKILL just before or just behind a call that the file DEATH names.

DEATH says for example `behind AcknowledgedProducer.send 2`: the second such call from now on is done, and never told
of. `streams.api.routes.batches` sends small groups, so that a few lines are several of them.
"""

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams.api.routes import batches
from streams.commands.cli import main
from streams.consumer.clients import AcknowledgedProducer
from streams.facts import Webhooks
from streams.services.ordering.pictures import Pictures
from streams.services.ordering.replies import Replies
from streams.webhooks.posting import Poster

GROUP = 4  # lines
STEPS: dict[str, tuple[type, str]] = {
    f"{owner.__name__}.{name}": (owner, name)
    for owner, name in (
        (AcknowledgedProducer, "send"),
        (Replies, "ask"),
        (Replies, "tell"),
        (Pictures, "_keep"),
        (Webhooks, "note"),
        (Webhooks, "settle"),
        (Poster, "post"),
    )
}


def die_at(moment: str, death: Path) -> None:
    """Ends this process where the file names this moment for the last time."""
    named, _, count = death.read_text().rpartition(" ") if death.exists() else ("", "", "")
    if named != moment:
        return
    if count != "1":
        death.write_text(f"{named} {int(count) - 1}")
        return
    death.unlink()
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(step: str, call: Callable[..., Any], death: Path) -> Callable[..., Any]:
    """`call`, with a moment before it and one behind."""

    @functools.wraps(call)
    def wrapped(*args: Any, **more: Any) -> Any:
        die_at(f"before {step}", death)
        result = call(*args, **more)
        die_at(f"behind {step}", death)
        return result

    @functools.wraps(call)
    async def awaited(*args: Any, **more: Any) -> Any:
        die_at(f"before {step}", death)
        result = await call(*args, **more)
        die_at(f"behind {step}", death)
        return result

    return awaited if asyncio.iscoroutinefunction(call) else wrapped


if __name__ == "__main__":
    batches.GROUP = GROUP
    for step, (owner, name) in STEPS.items():
        setattr(owner, name, deadly(step, getattr(owner, name), Path(os.environ["DEATH"])))
    sys.argv.insert(1, "run")
    main()
