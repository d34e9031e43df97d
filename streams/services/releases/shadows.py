"""Two networks on the same photograph, as pictures: what is used, what one in the shadow makes, where they differ.

Nobody keeps what a network in the shadow made. It is made again when somebody wants to see it, on this machine and by
the operations' own code, one picture at a time.
"""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.operations.cutout.retouching import Retouching
from gpu_workers.pools.answers import Answers
from gpu_workers.pools.limits import fetch_limits
from gpu_workers.pools.retouches import retouching_of
from gpu_workers.sources.errors import SourceError
from gpu_workers.sources.fetch import fetch
from schemas.errors import InputError
from schemas.records import TaskCompleted
from streams.blobs import Blobs
from streams.facts import Facts, Shadowed
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.display.showing import Shown, encoded
from streams.services.operating.roles import s3_client
from streams.services.ordering.local_render import open_studio
from streams.services.releases.trying import turn

SHOWN_AT_MOST = 24
SIDE_PX = 1024  # of a map: more is not seen beside two others
GROUND = (238, 240, 244)
SHARED, USED_ONLY, OTHER_ONLY = (170, 178, 191), (214, 54, 92), (0, 134, 199)  # what both hold for product, or one
NETWORK = "model"  # the parameter of a cutout that names it

Rgb = NDArray[np.uint8]


def find(tenant: str, model: str, task_id: str, facts: Facts) -> Shadowed:
    """What a model in the shadow did on a task of the tenant's. Raises Refused `unknown_picture`."""
    found = facts.models.shadowed(tenant, model, SHOWN_AT_MOST)
    picked = next((each for each in found if each.completed.task.task_id == task_id), None)
    if picked is None:
        raise Refused("unknown_picture", f"{model} was not compared on it, or it is not of the worst", field="task")
    return picked


def made_by_other(settings: Settings, blobs: Blobs, shadowed: Shadowed) -> Shown:
    """What the network in the shadow makes of the photograph. Raises Refused."""
    task = shadowed.completed.task
    if task.source is None:
        raise Refused("unknown_source", "nobody has noted which photograph this was", field="task")
    try:
        found = fetch(task.source.uri, fetch_limits(settings), sha256=task.source.sha256, s3=s3_client(settings))
    except SourceError as error:
        raise Refused.because(error) from error
    with turn(), open_studio(settings, shadowed.model) as studio:
        photograph = studio.photograph(found.data, task.source.uri)
        parameters = {**task.step.parameters, NETWORK: shadowed.model}
        retouching = _retouching(parameters, found.sha256, blobs)
        cut = studio.cutout(photograph, task.source.uri, parameters, task.category, retouching, Answers())
    return encoded(eight_bit(cut.rgba))


def difference(used: Shown, other: Shown) -> Shown:
    """Where two cutouts of one photograph hold what for product: grey both, red what is used, blue the other."""
    size = _size(used)
    mine, theirs = _alpha(used, size), _alpha(other, size)
    both = np.minimum(mine, theirs)
    shares = (1 - np.maximum(mine, theirs), both, mine - both, theirs - both)
    colours = (GROUND, SHARED, USED_ONLY, OTHER_ONLY)
    shown = sum(share[..., None] * np.array(colour) for share, colour in zip(shares, colours, strict=True))
    return encoded(np.asarray(shown).round().astype(np.uint8))


def used(completed: TaskCompleted) -> tuple[str, str]:
    """The digest and the type of the cutout that is used. Raises Refused."""
    if not completed.outputs:
        raise Refused("unknown_picture", "its task made no picture", field="task")
    return completed.outputs[0].digest, completed.outputs[0].media_type


def _retouching(parameters: Mapping[str, str], digest: str, blobs: Blobs) -> Retouching | None:
    try:
        return retouching_of(parameters, digest, blobs)
    except InputError as error:
        raise Refused.because(error) from error


def _size(shown: Shown) -> tuple[int, int]:
    with Image.open(io.BytesIO(shown.data)) as picture:
        scale = min(1.0, SIDE_PX / max(picture.size))
        return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))


def _alpha(shown: Shown, size: tuple[int, int]) -> NDArray[np.float64]:
    with Image.open(io.BytesIO(shown.data)) as picture:
        return np.asarray(picture.convert("RGBA").getchannel("A").resize(size, Image.Resampling.BOX)) / 255
