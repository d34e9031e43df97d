"""Networks in the shadow: the pictures on which they differ the most from what is used, seen side by side."""

from functools import partial
from typing import Annotated, Any, Literal

from litestar import Request, Response, get
from litestar.params import FromQuery, QueryParameter

from streams.facts import Shadowed
from streams.services.display.showing import Shown
from streams.services.releases import shadows
from streams.web.pages import page
from streams.web.routes.pictures import Size, answer_picture
from streams.web.visitors import REVIEW, VIEW, Looking, Visitor

What = Annotated[Literal["used", "other", "difference"], QueryParameter(name="what")]


@get("/desk/{tenant:str}/model", opt=VIEW, sync_to_thread=True)
def show_model(visitor: Looking, ref: FromQuery[str] = "", task: FromQuery[str] = "") -> Response[str]:
    """A network that ran in the shadow: where it differs the most, and one of those pictures by both."""
    with visitor.place.read() as facts:
        comparisons = {each.model: each for each in facts.models.comparisons()}
        chosen = ref or next(iter(comparisons), "")
        worst = facts.models.shadowed(visitor.tenant, chosen, shadows.SHOWN_AT_MOST)
    seen = next((each for each in worst if each.completed.task.task_id == task), None)
    return page(visitor, "model", refs=list(comparisons), chosen=chosen, worst=worst, seen=seen)


@get("/desk/{tenant:str}/model/picture", opt=REVIEW, sync_to_thread=True)
def show_picture(
    request: Request[Any, Any, Any],
    visitor: Looking,
    task: FromQuery[str],
    what: What = "used",
    ref: FromQuery[str] = "",
    size_px: Size = 640,
) -> Response[bytes]:
    """A cutout that is used, what the network in the shadow makes of its photograph, or where they differ."""
    with visitor.place.read() as facts:
        found = shadows.find(visitor.tenant, ref, task, facts)
    make = {"used": _used, "other": _other, "difference": _difference}[what]
    return answer_picture(request, visitor, f"{what}-{ref}-{task}", partial(make, visitor, found), size_px)


def _used(visitor: Visitor, found: Shadowed) -> Shown:
    return visitor.place.showing.blob(*shadows.used(found.completed))


def _other(visitor: Visitor, found: Shadowed) -> Shown:
    place = visitor.place
    make = partial(shadows.made_by_other, place.settings, place.blobs, found)
    return place.showing.drawn(f"other-{found.model}-{found.completed.task.task_id}", make)


def _difference(visitor: Visitor, found: Shadowed) -> Shown:
    name = f"difference-{found.model}-{found.completed.task.task_id}"
    return visitor.place.showing.drawn(name, lambda: shadows.difference(_used(visitor, found), _other(visitor, found)))


ROUTES: tuple[Any, ...] = (show_model, show_picture)
