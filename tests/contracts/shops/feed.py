"""A folder with one feed, as a shop."""

import csv
import os
from pathlib import Path
from typing import Any

from streams.connectors.kinds.feed import OUT
from streams.facts import Connector
from tests.contracts.shops.base import Headers, StandIn


class FeedFolder(StandIn):
    """What stands in the feed is what the shop sells; its photographs are addresses."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "feed")
        self.folder.mkdir()

    def connector(self) -> Connector:
        return Connector("shop", "feed", "demo", self.folder.as_uri(), ("web",))

    def hook(self, *_: Any, **__: Any) -> tuple[Headers, bytes]:
        raise AssertionError("a folder sends no hooks")

    def put(self, *arguments: Any, **more: Any) -> None:
        super().put(*arguments, **more)
        self._write()

    def remove(self, product: str) -> None:
        super().remove(product)
        self._write()

    def shown(self, product: str) -> list[str]:
        """By the supplemental feed."""
        file = self.folder / OUT
        rows = csv.DictReader(file.read_text().splitlines(), delimiter="\t") if file.exists() else []
        links = [f"{row['image_link']},{row['additional_image_link']}" for row in rows if row["id"] == f"SKU-{product}"]
        return [each.rpartition("/")[2][:16] for line in links for each in line.split(",") if each]

    def _write(self) -> None:
        file = self.folder / "products.csv"
        with file.open("w", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(["id", "title", "image_link"])
            for each in self.products.values():
                writer.writerow([each.sku, each.title, "|".join(f"https://shop.example/{m.name}" for m in each.media)])
        newest_ms = max((each.updated_ms for each in self.products.values()), default=1)
        os.utime(file, ns=(newest_ms * 1_000_000,) * 2)
