"""The shelf: live pictures beside each other, as shoppers see them."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.params import QueryParameter

from streams.flow.gates.style import SHELF_MIN
from streams.services.display import shelves
from streams.web.pages import page
from streams.web.visitors import VIEW, Looking

Named = Annotated[str, QueryParameter(name="name", description="Which shelf; by default the first.")]


@get("/desk/{tenant:str}/shelf", opt=VIEW, sync_to_thread=True)
def show_shelf(visitor: Looking, name: Named = "") -> Response[str]:
    """One shelf: what stands out first, with what differs, then the newest."""
    with visitor.place.read() as facts:
        names = shelves.names(facts, visitor.tenant)
        here = name or (names[0] if names else "")
        count, shown = shelves.on_shelf(facts, visitor.tenant, here)
        seen = facts.shelves.get(visitor.tenant, here)
    return page(visitor, "shelf", names=names, shelf=here, count=count, shown=shown, seen=seen, enough=SHELF_MIN)


ROUTES: tuple[Any, ...] = (show_shelf,)
