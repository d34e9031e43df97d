"""What pictures are made with: recipes, scenes and brands as pictures, networks; and the shops that are connected."""

from functools import partial
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromQuery

from streams.facts import Connectors
from streams.facts.sealing import Sealer
from streams.services.releases import library
from streams.web.pages import NotHere, page
from streams.web.routes.pictures import Size, answer_picture
from streams.web.visitors import VIEW, Looking


@get("/desk/{tenant:str}/library", opt=VIEW, sync_to_thread=True)
def show_library(visitor: Looking) -> Response[str]:
    """Recipes and the tenant's defaults, scenes, brands; for who runs the system, the networks as well."""
    settings = visitor.place.settings
    networks = library.networks(settings) if visitor.may("operator") else None
    return page(
        visitor,
        "library",
        recipes=library.recipes_of(settings, visitor.tenant),
        scenes=library.scenes(settings),
        brands=library.brands(settings),
        networks=networks,
    )


@get("/desk/{tenant:str}/library/scene", opt=VIEW, sync_to_thread=True)
def show_scene(
    request: Request[Any, Any, Any], visitor: Looking, name: FromQuery[str], size_px: Size = 640
) -> Response[bytes]:
    """A scene, empty."""
    plate = library.plate(visitor.place.settings, name)
    if plate is None:
        raise NotHere("there is no such scene")
    return answer_picture(request, visitor, f"scene-{name}", partial(library.picture, plate), size_px, is_named=False)


@get("/desk/{tenant:str}/library/brand", opt=VIEW, sync_to_thread=True)
def show_brand(
    request: Request[Any, Any, Any], visitor: Looking, name: FromQuery[str], size_px: Size = 640
) -> Response[bytes]:
    """A scene, its right half in a brand's style."""
    sample = library.sample(visitor.place.settings, name)
    if sample is None:
        raise NotHere("there is no such brand")
    draw = partial(visitor.place.showing.drawn, sample.name, sample.draw)
    return answer_picture(request, visitor, sample.name, draw, size_px)


@get("/desk/{tenant:str}/connectors", opt=VIEW, sync_to_thread=True)
def show_connectors(visitor: Looking) -> Response[str]:
    """The shops and PIMs of the tenant, and what of their products waits."""
    rows = Connectors(visitor.place.database, Sealer(visitor.place.settings.sealing_keys))
    found = [(each, rows.counts(each.connector)) for each in rows.told(visitor.tenant)]
    return page(visitor, "connectors", rows=found)


ROUTES: tuple[Any, ...] = (show_library, show_scene, show_brand, show_connectors)
