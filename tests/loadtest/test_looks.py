"""What `make looks` makes of folders and files."""

import json
from pathlib import Path

from loadtest.looks import events_of
from schemas import channels


def test_a_folder_s_pictures_are_products_of_what_their_names_tell(tmp_path: Path) -> None:
    for name in ("blue-hoodie-2.webp", "deep/mug.JPG", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    hoodie, mug = events_of(tmp_path)
    assert (hoodie["sku"], hoodie["category"]) == ("blue-hoodie-2", "blue hoodie")
    assert (mug["sku"], mug["category"]) == ("deep-mug", "mug")
    assert set(hoodie["channels"]) == {*channels.names()} - {"web"}


def test_a_file_of_events_keeps_its_own_words(tmp_path: Path) -> None:
    line = {
        "type": "CatalogChanged",
        "sku": "a",
        "category": "Mugs",
        "channels": ["etsy"],
        "sources": [{"uri": "a.jpg"}],
    }
    (tmp_path / "events.jsonl").write_text(json.dumps(line) + "\n\n" + json.dumps({"type": "CampaignRequested"}) + "\n")
    (event,) = events_of(tmp_path / "events.jsonl")
    assert event["sources"] == [{"uri": str(tmp_path / "a.jpg")}]
    assert (event["category"], event["channels"]) == ("Mugs", ["etsy"])
    (named,) = events_of(tmp_path / "events.jsonl", ["amazon"])
    assert named["channels"] == ["amazon"]
