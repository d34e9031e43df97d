"""A listing service in plain Python, told what goes live and away: API=… KEY=psk_… python listing_consumer.py"""

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

API, KEY = os.environ["API"], {"Authorization": f"Bearer {os.environ['KEY']}"}


def ask(path: str, **headers: str) -> Any:
    return urllib.request.urlopen(urllib.request.Request(API + path, headers=KEY | headers), timeout=60)


def live() -> Iterator[tuple[str, str, str]]:
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        page = json.load(ask(f"/v1/assets?state=published&limit=500{page['next'] and '&cursor=' + page['next']}"))
        yield from ((each["sku"], each["asset"], each["url"]) for each in page["items"])


last, event = "none", dict[str, str]()  # behind an event that nobody knows: then the first is `reset`
while True:
    try:
        for line in ask("/v1/events", **{"Last-Event-ID": last}):  # goes on there where the connection ends
            name, _, value = line.decode().rstrip("\r\n").partition(": ")
            if name:
                event[name] = value
                continue
            news, kind = json.loads(event.get("data", "{}")), event.get("event")
            if kind == "reset":  # too much was missed, or all of it: ask for what is live
                print(*(f"live {' '.join(each)}\n" for each in live()), sep="", end="", flush=True)
            elif kind in ("AssetPublished", "AssetRetracted"):
                state = "live" if kind == "AssetPublished" else "gone"
                print(state, news["sku"], news["asset"], news["detail"], flush=True)
            last, event = event.get("id", last), {}
    except OSError as error:
        print("waiting:", error, flush=True)
    time.sleep(1)
