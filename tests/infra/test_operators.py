"""What the chart makes for KEDA, held to KEDA's definitions: they come with its Go module, and are not kept here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.go_modules import fetched
from tests.infra.test_chart import CHART, EXAMPLES, helm

pytestmark = pytest.mark.infra

MODULE = "github.com/kedacore/keda/v2@v2.21.0"
Schema = dict[str, Any]


@pytest.fixture(scope="module")
def definitions() -> dict[str, Schema]:
    """By kind."""
    files = (fetched(MODULE) / "config" / "crd" / "bases").glob("keda.sh_*.yaml")
    found = [yaml.safe_load(file.read_text()) for file in files]
    return {each["spec"]["names"]["kind"]: each["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for each in found}


def wrong(value: Any, schema: Schema, at: str = "") -> Iterator[str]:
    """What a server would not take: fields that there are not, that are missing, of another type."""
    if schema.get("type") == "object" and isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value)
        for name, its in value.items():
            if name in known:
                yield from wrong(its, known[name], f"{at}.{name}")
            elif "additionalProperties" in schema:
                yield from wrong(its, schema["additionalProperties"], f"{at}.{name}")
            elif known and not schema.get("x-kubernetes-preserve-unknown-fields"):
                yield f"{at}.{name} is no field"
    elif schema.get("type") == "array" and isinstance(value, list):
        for number, each in enumerate(value):
            yield from wrong(each, schema["items"], f"{at}[{number}]")
    elif not isinstance(value, _TYPES.get(schema.get("type", ""), object)):
        yield f"{at} is no {schema['type']}: {value!r}"


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "object": dict,
    "array": list,
    "number": (int, float),
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_keda_takes_every_field(definitions: dict[str, Schema], example: Path) -> None:
    done = helm("template", "shop", str(CHART), "--values", str(example))
    made = [each for each in yaml.safe_load_all(done.stdout) if each and each["apiVersion"].startswith("keda.sh")]
    assert bool(made) == (example.stem != "laptop")
    for each in made:
        assert list(wrong(each["spec"], definitions[each["kind"]]["properties"]["spec"])) == []


def test_a_misspelt_field_and_a_number_that_is_a_text_are_found(definitions: dict[str, Schema]) -> None:
    spec = {"pollingIntervall": 5, "maxReplicaCount": "3", "scaleTargetRef": {}, "triggers": [{"type": "kafka"}]}
    assert list(wrong(spec, definitions["ScaledObject"]["properties"]["spec"])) == [
        ".pollingIntervall is no field",
        ".maxReplicaCount is no integer: '3'",
        ".scaleTargetRef.name is missing",
        ".triggers[0].metadata is missing",
    ]
