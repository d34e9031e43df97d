"""What would break a client of the API is found, and no change since the file was kept does."""

import copy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.api import app, openapi
from streams.api.breaking import breaking
from tests.servers import skip_or_fail

ROOT = Path(__file__).parents[3]
Made = dict[str, Any]


@pytest.fixture(scope="module")
def made() -> Made:
    document: Made = msgspec.json.decode(msgspec.json.encode(app.document()))
    return document


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        skip_or_fail(f"the API's history is not here: git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def test_no_change_breaks_clients_of_what_was_kept_before(made: Made) -> None:
    """What this working tree describes, beside what is committed and what was before the last change of it."""
    place = str(openapi.FILE.relative_to(ROOT))
    commits = git("log", "--first-parent", "--format=%H", "-2", "--", place).split()
    if not commits:
        skip_or_fail("the API's history is not here: a clone without it")
    for commit in commits:
        assert openapi.broken(msgspec.json.decode(git("show", f"{commit}:{place}")), made) == [], commit


def test_what_breaks_by_intent_says_so_in_its_version(made: Made) -> None:
    changed = copy.deepcopy(made)
    without_a_path(changed)
    assert openapi.broken(made, changed) != []
    changed["info"]["version"] = "2.0.0"
    assert openapi.broken(made, changed) == []


def test_the_same_breaks_nothing_and_neither_does_more(made: Made) -> None:
    assert breaking(made, made) == []
    for name in ("/v1/products", "/v1/webhooks"):
        without = copy.deepcopy(made)
        del without["paths"][name]
        assert breaking(without, made) == []


def schema(made: Made, name: str) -> Made:
    found: Made = made["components"]["schemas"][name]
    return found


def parameter(made: Made, name: str) -> Made:
    found: Made = next(each for each in made["paths"]["/v1/assets"]["get"]["parameters"] if each["name"] == name)
    return found


def without_a_path(made: Made) -> None:
    del made["paths"]["/v1/products"]


def without_a_method(made: Made) -> None:
    del made["paths"]["/v1/products/{sku}"]["delete"]


def without_a_field_in_an_answer(made: Made) -> None:
    del schema(made, "AssetView")["properties"]["srcset"]


def with_a_field_that_may_be_missing(made: Made) -> None:
    schema(made, "AssetView")["required"].remove("url")


def with_null_in_an_answer(made: Made) -> None:
    fields = schema(made, "AssetView")["properties"]
    fields["state"] = {"oneOf": [fields["state"], {"type": "null"}]}


def with_another_type_in_an_answer(made: Made) -> None:
    schema(made, "AssetView")["properties"]["version"]["type"] = "string"


def with_a_field_that_is_needed(made: Made) -> None:
    schema(made, "ProductBody")["required"].append("title")


def with_a_field_that_is_needed_deep_in_a_body(made: Made) -> None:
    schema(made, "Source")["required"].append("sha256")


def without_a_field_in_a_body(made: Made) -> None:
    del schema(made, "ProductBody")["properties"]["title"]


def with_a_new_field_that_is_needed(made: Made) -> None:
    schema(made, "ProductBody")["properties"]["weight"] = {"type": "number"}
    schema(made, "ProductBody")["required"].append("weight")


def with_a_shorter_text(made: Made) -> None:
    schema(made, "ProductBody")["properties"]["title"]["maxLength"] = 1


def without_a_parameter(made: Made) -> None:
    made["paths"]["/v1/assets"]["get"]["parameters"].remove(parameter(made, "state"))


def with_a_parameter_that_is_needed(made: Made) -> None:
    parameter(made, "state")["required"] = True


def with_a_narrower_enumeration(made: Made) -> None:
    schema(made, "ProductBody")["properties"]["priority"]["enum"].remove("bulk")


def with_a_bound_beside_a_union(made: Made) -> None:
    schema(made, "ProductBody")["properties"]["version"]["maximum"] = 9


def without_a_media_type(made: Made) -> None:
    del made["paths"]["/v1/cutouts"]["post"]["requestBody"]["content"]["multipart/form-data"]


def without_a_status(made: Made) -> None:
    del made["paths"]["/v1/products/{sku}"]["put"]["responses"]["202"]


BREAKS: list[tuple[Callable[[Made], None], str]] = [
    (without_a_path, "get /v1/products is gone"),
    (without_a_method, "delete /v1/products/{sku} is gone"),
    (without_a_field_in_an_answer, "AssetView.srcset is gone"),
    (with_a_field_that_may_be_missing, "AssetView.url may be missing"),
    (with_null_in_an_answer, "AssetView.state may be null"),
    (with_another_type_in_an_answer, "AssetView.version is of another type"),
    (with_a_field_that_is_needed, "ProductBody.title is needed"),
    (with_a_field_that_is_needed_deep_in_a_body, "Source.sha256 is needed"),
    (without_a_field_in_a_body, "ProductBody.title is gone"),
    (with_a_new_field_that_is_needed, "ProductBody.weight is needed"),
    (with_a_shorter_text, "ProductBody.title is narrower in its maxLength"),
    (without_a_parameter, "get /v1/assets takes no state any more"),
    (with_a_parameter_that_is_needed, "get /v1/assets needs state"),
    (with_a_narrower_enumeration, "ProductBody.priority is never bulk"),
    (with_a_bound_beside_a_union, "ProductBody.version is narrower in its maximum"),
    (without_a_media_type, "post /v1/cutouts takes no multipart/form-data"),
    (without_a_status, "put /v1/products/{sku} never answers 202"),
]


@pytest.mark.parametrize(("change", "says"), BREAKS, ids=[each.__name__ for each, _ in BREAKS])
def test_what_would_break_a_client_is_found(change: Callable[[Made], None], says: str, made: Made) -> None:
    changed = copy.deepcopy(made)
    change(changed)
    found = breaking(made, changed)
    assert any(says in each for each in found), found


def with_a_field_more(made: Made) -> None:
    schema(made, "ProductBody")["properties"]["weight"] = {"type": "number"}
    schema(made, "AssetView")["properties"]["weight"] = {"type": "number"}
    schema(made, "AssetView")["required"].append("weight")


def with_a_field_that_may_be_left_out(made: Made) -> None:
    schema(made, "ProductBody")["required"] = []


def with_a_longer_text(made: Made) -> None:
    schema(made, "ProductBody")["properties"]["title"]["maxLength"] *= 2


def with_null_in_a_body(made: Made) -> None:
    fields = schema(made, "ProductBody")["properties"]
    fields["title"] = {"oneOf": [fields["title"], {"type": "null"}]}


@pytest.mark.parametrize(
    "change", [with_a_field_more, with_a_field_that_may_be_left_out, with_a_longer_text, with_null_in_a_body]
)
def test_what_only_grows_breaks_nobody(change: Callable[[Made], None], made: Made) -> None:
    changed = copy.deepcopy(made)
    change(changed)
    assert breaking(made, changed) == []
