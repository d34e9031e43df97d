"""An assessment as one is found, without a shop."""

import io

from PIL import Image

from streams.services.assessing.assess import Assessment, Mended, Row
from streams.services.assessing.estimate import Business, Estimate, Range


def png() -> bytes:
    """A white picture."""
    stream = io.BytesIO()
    Image.new("RGB", (60, 60), "white").save(stream, "PNG")
    return stream.getvalue()


def assessment(source: str = "<b>shop</b>") -> Assessment:
    """Of three pictures two are wrong; of one a picture was made, of another none."""
    return Assessment(
        source=source,
        products=2,
        pictures=1234,
        wrong=2,
        mendable=2,
        rows=[Row("amazon", "fill", 2, 2 / 3)],
        shown=[],
        mended=[
            Mended("MUG", "https://shop.example/mug.jpg", "amazon", "pass", "", png(), png(), 1.0),
            Mended(
                "LAMP", "https://shop.example/lamp.jpg", "amazon", "none", "no_subject: <i>none</i>", png(), None, 0.1
            ),
        ],
        estimate=Estimate(2, Range(0.2, 0.9), Range(1, 4), Range(10, 100), Range(0.0, 0.1), Range(0.1, 3.0), "EUR"),
        business=Business(bottlenecks=["<i>Bob</i>"]),
        unread=["feed.tsv, line 3: there is no id"],
        seconds=12.0,
    )
