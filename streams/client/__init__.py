"""A client of the HTTP API, for whoever has an address and a key: httpx and msgspec, and nothing else of Packshot.

from streams.client import Client, Product, calls

with Client("https://packshot.example", "psk_live_…") as packshot:
    packshot.send(calls.put_product("MUG-1", Product(sources=[{"uri": "https://…/mug.jpg"}], channels=["amazon"])))
    for asset in packshot.pages(calls.list_assets(state="published")):
        print(asset.sku, asset.url)
"""

from streams.client import calls
from streams.client.clients import AsyncClient, Client
from streams.client.problems import ClientError, Problem
from streams.client.records import CampaignRequest, Product

__all__ = ["AsyncClient", "CampaignRequest", "Client", "ClientError", "Problem", "Product", "calls"]
