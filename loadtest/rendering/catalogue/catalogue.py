"""What is photographed and how: product records, shots, and the event lines made from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import products
from settings_scenes import Key

SQUARE, PORTRAIT, LANDSCAPE = (1000, 1000), (880, 1100), (1140, 760)
ALL_CHANNELS = ("amazon", "google", "zalando", "shopify", "instagram")
CAMPAIGN = ("MUG-STONE-350", "SHK-STEEL-700", "HDP-BLACK-01", "BAG-TAN-36")
AT_HOME = ("MUG-STONE-350", "BTL-OLIVE-500", "BAG-TAN-36", "CHR-ASH-86")


@dataclass(frozen=True)
class Shot:
    """One photograph. focal in mm on a 36 mm sensor; yaw and elevation in degrees; fill is the
    share of the frame that the product's larger side takes; place is its shift in the frame."""

    setting: str
    key: Key
    size: tuple[int, int]
    focal: float = 85.0
    fstop: float = 11.0
    yaw: float = 0.0
    elevation: float = 10.0
    fill: float = 0.72
    place: tuple[float, float] = (0.0, 0.0)
    exposure: float | None = None
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Product:
    """One catalogue entry and the way to build it; height in cm."""

    sku: str
    title: str
    category: str
    colour: str
    height_cm: float
    build: Callable
    studio: Shot
    busy: Shot
    text: tuple[str, ...] = ()
    glass: bool = False
    channels: tuple[str, ...] = ALL_CHANNELS
    send_busy: bool = False


PRODUCTS = (
    Product(
        "BTL-OLIVE-500",
        "Olivara Extra Virgin Olive Oil, Single Estate, 500 ml",
        "Food & Drink > Oils",
        "green",
        27,
        products.bottle,
        Shot("white", Key(-48, 38), PORTRAIT, 85, 11, 0, 6, 0.8, options={"flags": True}),
        Shot("kitchen", Key(62, 26), PORTRAIT, 85, 5.6, 8, 8, 0.7, (-0.03, -0.02)),
        ("OLIVARA", "Extra Virgin Olive Oil", "COLD PRESSED · FIRST HARVEST", "SINGLE ESTATE", "500 ml e"),
        send_busy=True,
    ),
    Product(
        "MUG-STONE-350",
        "Hand-thrown Stoneware Mug, Reactive Glaze, 350 ml",
        "Kitchen > Mugs",
        "blue",
        9.4,
        products.mug,
        Shot("warm", Key(-52, 40), SQUARE, 85, 13, -32, 16, 0.66),
        Shot(
            "study",
            Key(-58, 28),
            SQUARE,
            85,
            6.3,
            -38,
            14,
            0.46,
            (0.03, -0.06),
            options={"near": 15, "desk": ("#5d3c22", "#84592f", "#a97c4a")},
        ),
        send_busy=True,
    ),
    Product(
        "BOX-TEA-20",
        "Hollen Mint & Verbena Organic Herbal Tea, 20 Pyramid Bags",
        "Food & Drink > Tea",
        "green",
        16,
        products.carton,
        Shot("white", Key(-40, 42), SQUARE, 90, 16, -30, 13, 0.72),
        Shot("stockroom", Key(-44, 40), SQUARE, 85, 8, -24, 15, 0.55, (0.0, -0.05)),
        (
            "HOLLEN",
            "Mint & Verbena",
            "ORGANIC HERBAL TEA",
            "20 PYRAMID BAGS",
            "40 g e",
            "HOW TO BREW",
            "Fresh water, 95 °C",
            "One bag per cup",
            "Steep 5–7 minutes",
            "Peppermint 70 %",
            "Lemon verbena 25 %",
            "Orange peel 5 %",
            "2 000050 000504",
        ),
    ),
    Product(
        "GLS-HIGH-320",
        "Highball Glass, Fluted Base, 320 ml",
        "Kitchen > Glassware",
        "clear",
        13,
        products.tumbler,
        Shot("white", Key(-55, 48), PORTRAIT, 90, 13, 4, 9, 0.74, options={"flags": True}),
        Shot("cafe", Key(60, 30), SQUARE, 85, 5.6, 0, 9, 0.54, (0.0, -0.05), options={"near": 9}),
        glass=True,
    ),
    Product(
        "SHK-STEEL-700",
        "Three-piece Cocktail Shaker, Polished Steel, 700 ml",
        "Kitchen > Barware",
        "silver",
        24,
        products.shaker,
        Shot("grey", Key(-58, 34), PORTRAIT, 85, 11, 0, 8, 0.8, options={"flags": True, "rim": 0.8}),
        Shot(
            "cafe",
            Key(-62, 30),
            PORTRAIT,
            85,
            5.6,
            0,
            9,
            0.68,
            (0.02, -0.03),
            options={"table": ("#5d3c22", "#84592f", "#a97c4a")},
        ),
    ),
    Product(
        "VAS-FLUTE-28",
        "Fluted Porcelain Vase, Matt White, 28 cm",
        "Home > Vases",
        "white",
        28,
        products.vase,
        Shot("white", Key(-62, 40, 1.05), PORTRAIT, 85, 13, 0, 9, 0.78, options={"fill": 0.12}),
        Shot(
            "study",
            Key(60, 27),
            PORTRAIT,
            85,
            6.3,
            0,
            10,
            0.62,
            (-0.05, -0.04),
            options={"paint": "#b7a58f", "desk": ("#8a6238", "#b58a56", "#d3ac78")},
        ),
    ),
    Product(
        "BWL-WIRE-29",
        "Wire Fruit Bowl, Powder-coated Steel, 29 cm",
        "Kitchen > Serving",
        "black",
        14,
        products.wire_bowl,
        Shot("white", Key(-45, 52), LANDSCAPE, 85, 16, 9, 18, 0.7),
        Shot(
            "kitchen",
            Key(-60, 30),
            LANDSCAPE,
            85,
            9,
            4,
            17,
            0.5,
            (0.0, -0.06),
            options={"table": ("#b98a4e", "#d3aa6c", "#e5c690"), "wall_colour": "#b9c9c6"},
        ),
    ),
    Product(
        "CUS-LINEN-45",
        "Linen Cushion with Piping, Ochre, 45 × 45 cm",
        "Home > Cushions",
        "yellow",
        44,
        products.cushion,
        Shot("grey", Key(-60, 40), SQUARE, 85, 13, 18, 8, 0.7),
        Shot("sofa", Key(-58, 30), LANDSCAPE, 60, 6.3, -8, 10, 0.56, (0.0, -0.02), at=(0, 6, 0)),
        send_busy=True,
    ),
    Product(
        "SLT-DUO-11",
        "Salt & Pepper Shakers, Beech and Walnut, Set of 2",
        "Kitchen > Dining",
        "brown",
        11,
        products.shakers,
        Shot("warm", Key(46, 40), SQUARE, 90, 13, 12, 14, 0.6),
        Shot("terrace", Key(58, 42), LANDSCAPE, 85, 6.3, 10, 13, 0.5, (0.04, -0.05), exposure=1.0),
        ("S", "P"),
        channels=("amazon", "google", "shopify"),
    ),
    Product(
        "HDP-BLACK-01",
        "Wireless Over-ear Headphones, Black",
        "Electronics > Headphones",
        "black",
        19,
        products.headphones,
        Shot("dark", Key(-62, 46, 1.1, 1.5), SQUARE, 90, 13, 28, 9, 0.72, options={"rim": 1.3, "fill": 0.45}),
        Shot("study", Key(-55, 30), SQUARE, 85, 7.1, 32, 12, 0.56, (0.0, -0.05), options={"paint": "#7f4a3a"}),
    ),
    Product(
        "SHO-CANVAS-42",
        "Canvas Low-top Sneaker, Brick Red",
        "Shoes > Sneakers",
        "red",
        11,
        products.sneaker,
        Shot("white", Key(-42, 46), LANDSCAPE, 85, 16, 16, 15, 0.74),
        Shot("bench", Key(-56, 32), LANDSCAPE, 85, 8, 22, 15, 0.6, (0.0, -0.04)),
        channels=("amazon", "zalando", "shopify", "instagram"),
    ),
    Product(
        "BAG-TAN-36",
        "Structured Leather Tote, Tan",
        "Bags > Totes",
        "tan",
        35,
        products.handbag,
        Shot("grey", Key(-50, 42), SQUARE, 85, 13, 22, 8, 0.74),
        Shot("bench", Key(54, 30), PORTRAIT, 75, 7.1, 18, 9, 0.62, (0.0, -0.04), options={"paint": "#a98f78"}),
        send_busy=True,
    ),
    Product(
        "LMP-ARC-46",
        "Adjustable Desk Lamp, Sage Enamel and Brass, 46 cm",
        "Home > Lighting",
        "green",
        46,
        products.desk_lamp,
        Shot("warm", Key(50, 40), SQUARE, 85, 13, -14, 8, 0.76),
        Shot(
            "study",
            Key(58, 28),
            PORTRAIT,
            75,
            7.1,
            -10,
            9,
            0.7,
            (0.02, -0.03),
            options={"paint": "#8b8f96", "desk": ("#b98a4e", "#d3aa6c", "#e5c690")},
        ),
        channels=("amazon", "google", "shopify", "instagram"),
    ),
    Product(
        "CHR-ASH-86",
        "Spindle-back Dining Chair, Stained Ash",
        "Furniture > Chairs",
        "brown",
        83,
        products.chair,
        Shot("white", Key(-48, 44), PORTRAIT, 85, 16, 32, 12, 0.8),
        Shot("hallway", Key(-60, 30), PORTRAIT, 70, 9, -30, 12, 0.7, (0.02, -0.04)),
    ),
)


def event(product: Product) -> dict:
    """The CatalogChanged record of one product."""
    names = ["studio", "busy"] if product.send_busy else ["studio"]
    return {
        "type": "CatalogChanged",
        "change": "upsert",
        "tenant": "demo",
        "sku": product.sku,
        "version": 1,
        "title": product.title,
        "category": product.category,
        "colour": product.colour,
        "sources": [{"uri": f"photographs/{product.sku}-{name}.jpg"} for name in names],
        "channels": list(product.channels),
        "attributes": {"height_cm": f"{product.height_cm:g}"},
    }


def campaigns() -> list[dict]:
    """The CampaignRequested records: an urgent one, and one of products in scenes."""
    return [
        {
            "type": "CampaignRequested",
            "tenant": "demo",
            "campaign": "black-friday",
            "skus": list(CAMPAIGN),
            "recipe": "campaign",
            "channels": ["instagram"],
            "priority": "urgent",
        },
        {
            "type": "CampaignRequested",
            "tenant": "demo",
            "campaign": "at-home",
            "skus": list(AT_HOME),
            "recipe": "lifestyle",
            "channels": ["instagram"],
            "priority": "standard",
        },
    ]


def lines(records: list[dict]) -> str:
    """JSON lines."""
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
