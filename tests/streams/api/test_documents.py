"""The descriptions of the API and of the topics are those that are committed."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp
from openapi_spec_validator import OpenAPIV31SpecValidator

from infra.servers.asyncapi import problems
from infra.servers.process import ServerUnavailable
from schemas import codec, topics
from schemas.records import CatalogChanged
from streams.api import app, asyncapi, client_files, openapi
from streams.api.breaking import operations
from tests.servers import skip_or_fail

CACHE = Path(__file__).parents[3] / ".cache"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(app.document()))
    return document


def test_the_descriptions_are_those_that_are_kept(made: dict[str, Any]) -> None:
    assert openapi.encoded(made) == openapi.FILE.read_bytes(), "python -m streams.api.generate"
    assert openapi.encoded(asyncapi.document()) == asyncapi.FILE.read_bytes(), "python -m streams.api.generate"
    for file, text in client_files.files(made).items():
        assert text == file.read_text(), "python -m streams.api.generate"


def test_the_description_is_valid_openapi(made: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(made).iter_errors()] == []


@pytest.mark.long
def test_the_description_of_the_topics_is_valid_asyncapi(tmp_path: Path) -> None:
    broken = msgspec.json.decode(asyncapi.FILE.read_bytes())
    del broken["info"]["version"]
    (tmp_path / "broken.json").write_bytes(msgspec.json.encode(broken))
    try:
        assert problems(asyncapi.FILE, CACHE) == []
        assert problems(tmp_path / "broken.json", CACHE) != []
    except ServerUnavailable as missing:
        skip_or_fail(str(missing))


def test_every_operation_tells_of_problems_and_of_its_key(made: dict[str, Any]) -> None:
    assert made["openapi"].startswith("3.1")
    for path, _, operation in operations(made):
        assert operation["responses"]["default"] == openapi.PROBLEM
        assert ("security" in operation) == path.startswith("/v1/")
    names = [operation["operationId"] for _, _, operation in operations(made)]
    assert len(set(names)) == len(names)


def test_every_topic_and_record_is_described() -> None:
    document = asyncapi.document()
    assert {each["address"] for each in document["channels"].values()} == {
        topic.name for topic in topics.every(asyncapi.RETRY_DELAYS_MS)
    }
    message = document["components"]["messages"]["CatalogChanged"]
    assert message["x-schema-id"] == codec.schema_id(CatalogChanged)
    assert message["payload"]["schema"]["name"] == "packshot.CatalogChanged"


def test_they_are_served_with_a_page(client: TestClient[ASGIApp]) -> None:
    assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert client.get("/asyncapi.json").json()["asyncapi"] == "3.0.0"
    page = client.get("/docs").text
    assert "PUT /v1/products/{sku}" in page
