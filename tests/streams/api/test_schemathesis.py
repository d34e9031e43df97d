"""Schemathesis asks the API all that its description allows, and what it does not, one call and then many in a row.

Left out is `/v1/events`, which has no end, and pictures, whose answers wait for workers.
"""

import re
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from litestar.types import ASGIApp
from openapi_spec_validator import validate
from schemathesis.specs.openapi.checks import positive_data_acceptance

from streams.api.app import build, document
from streams.api.gateway import Gateway
from streams.api.openapi import operations
from streams.consumer import reading
from streams.services import dead

ENDLESS = r"^/v1/(events|cutouts|packshots|mockups|renders)$"
OPERATIONS = [(path, method) for path, method, _ in operations(document()) if not re.search(ENDLESS, path)]
EACH = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
IN_A_ROW = settings(EACH, max_examples=20, stateful_step_count=8)


@pytest.fixture
def app(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> ASGIApp:
    """The API with no end of quota, and topics that hold nothing."""
    free = replace(gateway.settings, gateway_key_per_minute=0, gateway_tenant_per_minute=0)
    monkeypatch.setattr(dead, "find", lambda _settings, _wanted: [])
    monkeypatch.setattr(reading, "read", lambda *_args, **_more: iter(()))
    monkeypatch.setattr(reading, "check", lambda *_args: None)
    return build(replace(gateway, settings=free))


@pytest.fixture
def asked(app: ASGIApp, key: str) -> Any:
    """The description as it is served, asked with a key."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app).exclude(path_regex=ENDLESS)
    schema.config.update(headers={"Authorization": f"Bearer {key}"})
    return schema


@pytest.mark.long
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_answers_as_it_says(path: str, method: str, asked: Any) -> None:
    @EACH
    @given(asked[path][method.upper()].as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(excluded_checks=[positive_data_acceptance])  # 422 is what no schema can say

    ask()


@pytest.mark.long
def test_calls_in_a_row_answer_as_they_say(asked: Any) -> None:
    asked.as_state_machine().run(settings=IN_A_ROW)


def test_the_description_is_valid() -> None:
    validate(document())
