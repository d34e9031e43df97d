"""Files of events as people have them, and what is said of the mistakes in them."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.records import CampaignRequested, CatalogChanged
from streams.facts import Database
from streams.services.submitting.event_files import BadLine, Read, read_events, with_files
from streams.services.submitting.submission import unmakeable

MUG: dict[str, Any] = {
    "type": "CatalogChanged",
    "tenant": "acme",
    "sku": "MUG-1",
    "version": 1,
    "sources": [{"uri": "https://shop.example/mug.jpg"}],
    "channels": ["amazon", "web"],
}
CUP = MUG | {"sku": "CUP-1"}
ONE, TWO = json.dumps(MUG), json.dumps(CUP)
CSV = "tenant,sku,version,sources,channels,attributes.colour\n"


def read(folder: Path, data: str | bytes) -> tuple[list[Read], list[BadLine]]:
    file = folder / "events"
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    events, bad = read_events(file)
    there, lacking = with_files(events)
    return there, [*bad, *lacking]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (f"{ONE}\n{TWO}\n", [1, 2]),
        (f"\n{ONE}\n\n\n{TWO}", [2, 5]),
        (f"\ufeff{ONE}\n{TWO}\n", [1, 2]),
        (f"{ONE}\r\n{TWO}\r\n".encode("utf-16"), [1, 2]),
        (f"[{ONE},\n{TWO}]", [1, 1]),
        (json.dumps([MUG, CUP], indent=2), [1, 1]),
        (json.dumps(MUG, indent=2) + "\n" + json.dumps(CUP, indent=4), [1, 16]),
        (f"{ONE},\n{TWO},\n", [1, 2]),
        (f"{ONE}{TWO}", [1, 1]),
        (CSV + "acme,MUG-1,1,https://shop.example/mug.jpg,amazon|web,\n"
         "acme,CUP-1,1,https://shop.example/mug.jpg,amazon | web,\n", [2, 3]),
        (CSV.replace(",", ";") + "\nacme;MUG-1;1;https://shop.example/mug.jpg;amazon|web;\n"
         '"acme";"CUP-1";1;https://shop.example/mug.jpg;"amazon|web";', [3, 4]),
        ("\ufeff" + (CSV + "acme,MUG-1,1,https://shop.example/mug.jpg,amazon|web\n"
         "acme,CUP-1,1,https://shop.example/mug.jpg,amazon|web\n").replace(",", "\t"), [2, 3]),
    ],
)  # fmt: skip
def test_what_people_have_is_read(tmp_path: Path, data: str | bytes, lines: list[int]) -> None:
    events, bad = read(tmp_path, data)
    assert bad == []
    assert [each.event.sku for each in events if isinstance(each.event, CatalogChanged)] == ["MUG-1", "CUP-1"]
    assert [each.event.channels for each in events if isinstance(each.event, CatalogChanged)] == [["amazon", "web"]] * 2
    assert [each.line for each in events] == lines


def test_every_wrong_field_of_an_event_is_reported(tmp_path: Path) -> None:
    wrong = {**MUG, "tenant": "a b", "version": "one", "chanels": [], "sources": [{"uri": 3}]}
    del wrong["sku"]
    events, bad = read(tmp_path, f"{json.dumps(wrong)}\n{ONE}\n")
    assert len(events) == 1
    assert {each.line for each in bad} == {1}
    assert {each.field for each in bad} == {"tenant", "sku", "version", "chanels", "sources[0].uri"}
    assert "is required" in next(each.message for each in bad if each.field == "sku")


@pytest.mark.parametrize(
    ("data", "line", "field", "message"),
    [
        (f'{ONE}\n{{"type": "CatalogChanged",\n{TWO}', 2, "", "not JSON"),
        (f"{ONE}\nhello\nworld\n{TWO}", 2, "", "down to line 3, not JSON"),
        (f"{ONE}\n" + "[" * 100_000 + f"\n{TWO}", 2, "", "nested too deep"),
        (f'{ONE}\n{{"type": "Catalog"}}\n{TWO}', 2, "type", "'Catalog' is none of CatalogChanged, "),
        (f"{ONE}\n[7]\n{TWO}", 2, "", "an event is an object"),
        (f'{ONE}\n{ONE[:-1]}, "change": "delete", "version": NaN}}\n{TWO}', 2, "version", "Expected a whole number"),
        (f"{ONE}\n{ONE.replace('https://shop.example/', '')}\n{TWO}", 2, "sources", "there is no file 'mug.jpg'"),
        (f"{ONE}\n{ONE.replace('https://', '')}\n{TWO}", 2, "sources", "a web address begins with https://"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_by_its_line_and_costs_no_other_event(
    tmp_path: Path, data: str, line: int, field: str, message: str
) -> None:
    events, bad = read(tmp_path, data)
    assert events[0].line == 1
    assert len(events) == 2
    assert [(each.line, each.field) for each in bad] == [(line, field)]
    assert message in bad[0].message


def test_bytes_that_are_no_text_are_reported(tmp_path: Path) -> None:
    events, bad = read(tmp_path, ONE.encode() + b'\n{"type": "CatalogChanged", "tenant": "\xff\xfe"}\n')
    assert len(events) == 1
    assert "tenant" in {each.field for each in bad}


def test_a_table_that_is_none_is_reported(tmp_path: Path) -> None:
    assert read(tmp_path, "name,price\nmug,3\n")[1][0].message.startswith("neither JSON nor CSV")
    assert read(tmp_path, "tenant,sku,colr\na,b,c\n")[1][0].message.startswith("no column is called 'colr'; there are:")
    assert read(tmp_path, 'tenant,sku\na,"b\n')[1][0].message.startswith("no CSV")
    assert read(tmp_path, "") == ([], [])


def test_an_attribute_and_a_local_file_of_a_row(tmp_path: Path) -> None:
    (tmp_path / "mug ü.jpg").touch()
    events, bad = read(tmp_path, CSV + "acme,MUG-1,1,mug ü.jpg|https://a.example/b,web,red\n")
    assert bad == []
    event = events[0].event
    assert isinstance(event, CatalogChanged)
    assert event.attributes == {"colour": "red"}
    assert [source.uri for source in event.sources] == [(tmp_path / "mug ü.jpg").as_uri(), "https://a.example/b"]


def test_channels_and_recipes_that_are_not_there_are_reported_before_anything_is_sent(tmp_path: Path) -> None:
    wrong = [MUG | {"channels": ["amazn"]}, MUG, MUG | {"recipe": "marketplce"}]
    events, bad = read(tmp_path, "\n".join(map(json.dumps, wrong)))
    assert (len(events), bad) == (3, [])
    database = Database(f"sqlite:///{tmp_path / 'facts.db'}")
    database.create_tables()
    with database.read() as facts:
        found = unmakeable(events, facts)
        campaign = CampaignRequested(tenant="acme", campaign="c", skus=["MUG-1"], channels=["instgram"])
        found += unmakeable([Read(9, campaign)], facts)
    assert [(each.line, each.field) for each in found] == [(1, "channels"), (3, "recipe"), (9, "channels")]
    assert "no channel is called 'amazn'; there are: " in found[0].message


@pytest.mark.parametrize("uri", ["x" * 300, "x/" * 1500, "http://[::1/", "//[x"])
def test_a_source_that_no_file_system_and_no_parser_takes_ends_nothing(tmp_path: Path, uri: str) -> None:
    events, bad = read(tmp_path, json.dumps(MUG | {"sources": [{"uri": uri}]}) + "\n" + TWO)
    known = "[" in uri  # an address, though a malformed one, which whoever fetches it tells
    assert [each.line for each in events] == ([1, 2] if known else [2])
    assert [(each.line, each.field) for each in bad] == ([] if known else [(1, "sources")])


def test_a_number_of_many_digits_in_a_table_is_reported(tmp_path: Path) -> None:
    _, bad = read(tmp_path, f"{CSV}acme,MUG-1,{'9' * 5000},https://shop.example/mug.jpg,web,\n")
    assert [(each.line, each.field) for each in bad] == [(2, "version")]


def test_a_quote_that_never_ends_in_the_first_row_is_reported(tmp_path: Path) -> None:
    _, bad = read(tmp_path, '"tenant,sku\nacme')
    assert [(each.line, each.message) for each in bad] == [(1, "no CSV: unexpected end of data")]


@pytest.mark.parametrize(
    "change", [{"sku": "\ud83d"}, {"sources": [{"uri": "\udc80"}]}, {"attributes": {"\ud83d": "x"}}]
)
def test_half_a_character_is_reported_by_its_field(tmp_path: Path, change: dict[str, Any]) -> None:
    events, bad = read(tmp_path, f"{json.dumps(MUG | change)}\n{TWO}")
    assert [each.line for each in events] == [2]
    assert [(each.line, each.field.partition("[")[0]) for each in bad] == [(1, next(iter(change)))]
