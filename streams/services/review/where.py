"""Where in a case's picture its doubt lies: the picture made again, so that it is known what of it came from where.

An operation's code says where each point of the product went, which no file of a channel tells; equal inputs give equal
bytes, so that what is drawn on is what is live or waits.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from schemas.operations import OPERATIONS
from schemas.records import Task
from streams.blobs import BlobCorrupt, Blobs, NotFound
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.display import showing
from streams.services.display.showing import Shown
from streams.services.releases.trying import turn

if TYPE_CHECKING:
    from gpu_workers.sources.decoding import Picture

What = Literal["edges", "colour", "text", "shadow"]
OF_CASE: Mapping[str, What] = MappingProxyType({"colour": "colour", "text": "text", "light": "shadow"})  # else edges


def where(
    settings: Settings, database: Database, blobs: Blobs, tenant: str, case_id: str, digest: str, what: What | None
) -> Shown:
    """The picture `digest` of a case with `what` is in doubt drawn over it, by default what the case is about.

    Raises Refused: `unknown_case`, `unknown_picture`, `picture_gone`, and `nothing_to_show` for a picture that is made
    of more than one, or of which the operation does not say where its product went.
    """
    task, about = _task(database, tenant, case_id, digest)
    with turn():
        return showing.encoded(_drawn(settings, blobs, task, what or OF_CASE.get(about, "edges")))


def _task(database: Database, tenant: str, case_id: str, digest: str) -> tuple[Task, str]:
    with database.read() as facts:
        case = facts.cases.get(case_id)
        reviews = [] if case is None or case.tenant != tenant else facts.cases.reviews(case_id)
    if case is None or case.tenant != tenant:
        raise Refused("unknown_case", f"no case has the id {case_id!r}", field="case")
    for review in reviews:
        if review.request.completed.outputs[0].digest == digest:
            return review.request.completed.task, case.about
    raise Refused("unknown_picture", "the case has no such picture", field="digest")


def _drawn(settings: Settings, blobs: Blobs, task: Task, what: What) -> Any:
    from gpu_workers.imaging.linear_light import eight_bit
    from gpu_workers.local.orders import channel, rules_that_count
    from gpu_workers.local.overlays import OVERLAYS
    from gpu_workers.local.overlays import Shown as Picture
    from gpu_workers.operations.base import ComposeRequest, pixel_half
    from gpu_workers.pools.compose import library
    from gpu_workers.reading.lettering import mask_of
    from gpu_workers.reading.photograph import on_white

    step = task.step
    known = OPERATIONS.get(step.operation)
    if known is None or known.pool != "compose" or known.network or len(task.inputs) != 1 or step.channel is None:
        raise Refused("nothing_to_show", f"of a {step.operation} it is not known what came from where", field="case")
    source = _input(blobs, task.inputs[0].digest)
    rules = channel(step.operation, step.channel, task.category, rules_that_count(settings))
    request = ComposeRequest(
        rules, step.parameters, task.category, step.asset is not None, bool(step.next), library(settings)
    )
    made = pixel_half(step.operation, "compose").run([source], request)
    if made.transform is None:
        raise Refused("nothing_to_show", f"a {step.operation} does not say where its product went", field="case")
    canvas = eight_bit(made.canvas)
    shown = Picture(
        canvas=on_white(canvas),
        mask=mask_of(canvas, made.mask),
        source=on_white(eight_bit(source.pixels)),
        transform=made.transform,
        writing=source.metadata.writing,
    )
    return OVERLAYS[what](shown)


def _input(blobs: Blobs, digest: str) -> "Picture":
    from gpu_workers.sources.decoding import decode

    try:
        return decode(blobs.get(digest))
    except (NotFound, BlobCorrupt) as error:
        raise Refused("picture_gone", f"the picture {digest} is gone", field="picture") from error
