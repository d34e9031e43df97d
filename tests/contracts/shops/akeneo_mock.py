"""A PIM in the mock server of PyPI, as the people in it see it: they work by its REST API, too.

Its photographs are addresses in texts, for its families forget what their attributes are. It gives every file one code
and never says when a product was changed: whoever changes one says so.
"""

import json
from pathlib import Path
from typing import Any

from streams.connectors.http import Client
from streams.facts import Connector
from tests.contracts.shops.akeneo import API, SECRETS, AkeneoStandIn, uuid_of
from tests.contracts.shops.base import Medium, Product, iso

OURS = "packshot_"
COLLECTION, FAMILY = "packshots", "packshots"
TEXTS = ("photograph_1", "photograph_2")
PHOTOGRAPHS = "https://cdn.example/"


class MockAkeneo(AkeneoStandIn):
    """A PIM that is emptied first."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.url = url
        self._client = Client(("127.0.0.0/8",))
        self.ask("POST", "/_admin/clear")
        for name in ("name", *TEXTS):
            self.ask("PATCH", f"{API}/attributes/{name}", {"type": "pim_catalog_text", "group": "other"})
        collection = {"type": "pim_catalog_asset_collection", "group": "other", "reference_data_name": FAMILY}
        self.ask("PATCH", f"{API}/attributes/{COLLECTION}", collection)
        self.ask("PATCH", f"{API}/asset-families/{FAMILY}", {"labels": {}})
        self.ask("PATCH", f"{API}/asset-families/{FAMILY}/attributes/media", {"type": "media_file"})

    def connector(self) -> Connector:
        options = {"photographs": ",".join(TEXTS)}
        return Connector("shop", "akeneo", "demo", self.url, ("web",), options, SECRETS)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What a person in the PIM asks; None where nothing is there."""
        headers = {"Authorization": "Bearer mock-access-token"}
        answer = self._client.request(method, self.url + path, headers=headers, body=body, ok=frozenset({404}))
        return None if answer.status == 404 or not answer.body else answer.json()

    def put(self, product: str, title: str, at_ms: int, photographs: tuple[str, ...] = ("front.jpg",)) -> None:
        is_new = product not in self.products
        self.products[product] = Product(product, f"SKU-{product}", title, at_ms)
        values = {"name": _value(title)}
        if is_new:
            values |= {name: _value(PHOTOGRAPHS + each) for name, each in zip(TEXTS, photographs, strict=False)}
        view = {"identifier": f"SKU-{product}", "updated": f"{iso(at_ms)[:19]}+00:00", "values": values}
        self.ask("PATCH", self._place(product), view)

    def remove(self, product: str) -> None:
        super().remove(product)
        self.ask("DELETE", self._place(product))

    def theirs(self, product: str) -> list[str]:
        values = self._values(product)
        return [values[each][0]["data"].removeprefix(PHOTOGRAPHS) for each in TEXTS if each in values]

    @property
    def writes(self) -> int:
        """What of a write can be seen from outside: the products and their assets as they are."""
        found = [self.ask("GET", self._place(each)) for each in sorted(self.products)]
        return hash(json.dumps([found, self.ask("GET", f"{API}/asset-families/{FAMILY}/assets?limit=100")]))

    @writes.setter
    def writes(self, _count: int) -> None:
        pass

    def asset(self, code: str) -> Any:
        """An asset of ours."""
        return self.ask("GET", f"{API}/asset-families/{FAMILY}/assets/{code}")

    def _place(self, product: str) -> str:
        return f"{API}/products-uuid/{uuid_of(product)}"

    def _values(self, product: str) -> dict[str, Any]:
        found = self.ask("GET", self._place(product)) if product in self.products else None
        return found["values"] if found else {}

    def _media(self, product: str) -> list[Medium]:
        """Our pictures: the code of an asset stands for what is in its file."""
        codes = [code for each in self._values(product).get(COLLECTION, []) for code in each["data"]]
        for code in codes:
            values = self.asset(code)["values"]
            assert code.startswith(OURS)
            assert values["media"][0]["data"]
            assert values["label"][0]["data"]
        return [Medium(code, f"packshot-{code.removeprefix(OURS)[:16]}-") for code in codes]


def _value(data: str) -> list[dict[str, Any]]:
    return [{"locale": None, "scope": None, "data": data}]
