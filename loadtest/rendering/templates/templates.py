"""The templates: which product, in which light, with which areas to print on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import garments
import goods
from setting import Setting

Area = tuple[str, str, float, float, float, float]


@dataclass(frozen=True)
class Template:
    """`product` and `ground` are the colours that their materials have. Areas: name, map, left, top, width and height
    on it in cm; the first is the default."""

    name: str
    title: str
    build: Callable[[], Setting]
    product: str
    ground: str
    areas: tuple[Area, ...]
    exposure: float = 0.0
    paintable: bool = True
    side_px: int = 1280


TEMPLATES = (
    Template(
        "tshirt",
        "T-shirt on a hanger",
        garments.tshirt,
        "#F2F1EE",
        "#C9CCC8",
        (("chest", "front", 0, 0, 30, 40), ("left-chest", "front", 18.5, 0, 9, 9)),
        exposure=0.2,
    ),
    Template(
        "tote",
        "Cotton tote bag on a peg",
        garments.tote,
        "#EFE9DC",
        "#D6CABB",
        (("front", "front", 0, 0, 26, 30),),
        exposure=0.45,
    ),
    Template(
        "mug",
        "White ceramic mug on a table",
        goods.mug,
        "#F4F2EE",
        "#E2DDD3",
        (("front", "wrap", 11.9, 0.5, 8.0, 7.4), ("wrap", "wrap", 0, 0, 20.0, 8.4)),
        exposure=-0.2,
    ),
    Template(
        "box",
        "Cardboard box at three quarters",
        goods.box,
        "#F1EFEB",
        "#D5D9D6",
        (("front", "front", 0, 0, 17.6, 21.6), ("side", "side", 0, 0, 10.6, 21.6)),
        exposure=-0.15,
    ),
    Template(
        "poster",
        "Poster of 50 by 70 cm in an oak frame on a wall",
        goods.poster,
        "#F5F4F1",
        "#D8D5CE",
        (("poster", "poster", 0, 0, 50, 70),),
        exposure=0.5,
        paintable=False,
    ),
)
