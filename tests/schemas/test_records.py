"""The records against their Avro files, and against the JSON Schema of submissions."""

from typing import Any

import msgspec
import pytest
from msgspec import inspect

from schemas import codec, history
from schemas.records import EVENTS, CampaignRequested, CatalogChanged, Event, Source, Submission


@pytest.mark.parametrize("record", EVENTS, ids=lambda record: record.__name__)
def test_every_record_has_the_fields_and_defaults_of_its_avro_file(record: type[Event]) -> None:
    avro = {field["name"]: field.get("default", "required") for field in history.schema_of(record)["fields"]}
    assert {field.name: _default(field) for field in msgspec.structs.fields(record)} == avro


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return "required" if field.default_factory is msgspec.NODEFAULT else field.default_factory()


@pytest.mark.parametrize("record", EVENTS, ids=lambda record: record.__name__)
def test_every_schema_id_is_its_own(record: type[Event]) -> None:
    others = {codec.schema_id(other) for other in EVENTS if other is not record}
    assert 0 < codec.schema_id(record) < 2**31
    assert codec.schema_id(record) not in others


def test_the_json_schema_of_submissions_is_up_to_date() -> None:
    assert msgspec.json.decode(history.SUBMISSIONS.read_bytes()) == history.submissions()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 0}, "version"),
        ({"version": "1"}, "version"),
        ({"tenant": "a|b"}, "tenant"),
        ({"sku": ""}, "sku"),
        ({"sku": "a\nb"}, "sku"),
        ({"colr": "red"}, "colr"),
        ({"sources": []}, "sources"),
        ({"channels": []}, "channels"),
        ({"channels": ["amazon", "amazon"]}, "channels"),
        ({"sources": [{"uri": "a.jpg", "sha256": "12"}]}, "sources[0].sha256"),
        ({"priority": "now"}, "priority"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    good = {"tenant": "demo", "sku": "A", "version": 1, "sources": [{"uri": "a.jpg"}], "channels": ["amazon"]}
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(good | change, CatalogChanged)
    assert codec.field_in(caught.value) == field


def test_a_missing_field_is_named() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(b'{"type": "CampaignRequested", "tenant": "a", "skus": ["b"]}', type=Submission)
    assert codec.field_in(caught.value) == "campaign"


def test_a_delete_needs_no_sources() -> None:
    assert CatalogChanged(change="delete", tenant="demo", sku="A", version=2).sources == []


def test_the_records_are_what_msgspec_can_describe() -> None:
    assert all(isinstance(inspect.type_info(record), inspect.StructType) for record in EVENTS)
    assert CampaignRequested(tenant="t", campaign="c", skus=["A"], channels=["amazon"]).priority == "urgent"
    assert Source(uri="a.jpg").sha256 is None
