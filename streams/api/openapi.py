"""The API's description, OpenAPI 3.1: generated from the routes, and kept in schemas/openapi.json.

`python -m streams.api.generate` writes it anew.
"""

import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar
from litestar.openapi import OpenAPIConfig

from schemas.text import portable
from streams.api import ordering
from streams.api.breaking import breaking, operations

FILE = Path(__file__).parents[2] / "schemas" / "openapi.json"
VERSION = "1.0.0"  # whose first number grows with what breaks clients; see broken
CORRECTED: frozenset[str] = (
    frozenset()
)  # what was described wrongly before, as breaking() says it, until the next change
PROBLEM = {"$ref": "#/components/responses/Problem"}
TITLE = "Packshot"
TEXT = (
    "Product images from events: put a product, get its checked pictures. Every error is a problem (RFC 9457) with a "
    "code that /problems explains. A key goes into `Authorization: Bearer`."
)
CONFIG = OpenAPIConfig(
    title=TITLE, version=VERSION, description=TEXT, path=None, render_plugins=(), use_handler_docstrings=True
)


def document(app: Litestar) -> dict[str, Any]:
    """The description of an app."""
    made: dict[str, Any] = app.openapi_schema.to_schema()
    components = made.setdefault("components", {})
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "psk_live_…"}}
    components["responses"] = {"Problem": _problem()}
    components.setdefault("schemas", {}).update(_problem_schemas())
    for path, method, operation in operations(made):
        operation |= ordering.described(path, method, operation)
        for parameter in operation.get("parameters", ()):
            _say_all(parameter)
        for status in [each for each in operation["responses"] if int(each) >= 400]:
            del operation["responses"][status]
        operation["responses"]["default"] = PROBLEM
        if operation["operationId"] not in ("Livez", "Readyz", "LivezLivez", "ReadyzReadyz"):
            operation["security"] = [{"key": []}]
    _mend(made)
    return made


def _say_all(parameter: dict[str, Any]) -> None:
    """What may be left out is left out, and is never null: neither a query nor a header can say that."""
    schema = parameter["schema"]
    said = [each for each in schema.get("oneOf", ()) if each != {"type": "null"}]
    if len(said) == 1:
        parameter["schema"] = {name: each for name, each in schema.items() if name != "oneOf"} | said[0]


def _mend(part: Any) -> None:
    """Patterns as other languages read them, and as tools make up texts for them in less than minutes.

    Of `tuple[X, ...]` Litestar says that each is an X or anything at all, by oneOf, which no X is.
    """
    if isinstance(part, dict) and isinstance(part.get("pattern"), str):
        part["pattern"] = portable(part["pattern"])
    if isinstance(part, dict) and {} in part.get("oneOf", ()) and len(part["oneOf"]) == 2:
        part |= next(each for each in part.pop("oneOf") if each)
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _mend(each)


def encoded(made: Mapping[str, Any]) -> bytes:
    """The description as it is kept."""
    return msgspec.json.format(msgspec.json.encode(made, order="sorted"), indent=2) + b"\n"


def page(made: Mapping[str, Any]) -> str:
    """The reference: every operation, what it takes and what it answers."""
    sections = "".join(_section(path, method, operation) for path, method, operation in operations(made))
    schemas = "".join(
        f"<h3 id='{name}'>{name}</h3><p>{html.escape(schema.get('description', ''))}</p>{_fields(schema)}"
        for name, schema in sorted(made["components"]["schemas"].items())
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{TITLE}: the API</title><style>"
        ":root{color-scheme:light dark;font:15px/1.5 system-ui}body{max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td{padding:.1rem 1rem .1rem 0;vertical-align:top}code{white-space:nowrap}h2{margin-top:2rem}</style>"
        f"<h1>{TITLE}: the API</h1><p>{html.escape(TEXT)} <a href='/openapi.json'>OpenAPI</a> · "
        "<a href='/asyncapi.json'>topics (AsyncAPI)</a> · "
        f"<a href='/problems'>problems</a></p>{sections}<h2>What is sent and answered</h2>{schemas}</html>"
    )


def _section(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{each['name']}</code><td>{each['in']}<td>{html.escape(each.get('description', ''))}"
        for each in operation.get("parameters", [])
    )
    text = html.escape(operation.get("description", ""))
    links = " · ".join(f"<a href='#{name}'>{name}</a>" for name in sorted(set(_names(operation))))
    return f"<h2><code>{method.upper()} {path}</code></h2><p>{text}</p><table>{rows}</table><p>{links}</p>"


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{name}</code>{'' if name in required else '?'}<td>{html.escape(_kind(each))}"
        for name, each in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "oneOf" in schema or "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema.get("oneOf", schema.get("anyOf", ())))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    items = schema.get("items")
    return f"{schema.get('type', 'any')}{' of ' + _kind(items) if items else ''}"


def _names(part: Any) -> Iterator[str]:
    """The schemas that a part of the description refers to."""
    if isinstance(part, Mapping):
        if "$ref" in part and "/schemas/" in part["$ref"]:
            yield str(part["$ref"]).rsplit("/", 1)[-1]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _names(each)


def _problem() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {"description": "A problem.", "content": {"application/problem+json": {"schema": schema}}}


def _problem_schemas() -> dict[str, Any]:
    from streams.api.problems import ProblemDetails

    (_,), schemas = msgspec.json.schema_components([ProblemDetails], ref_template="#/components/schemas/{name}")
    return schemas


def broken(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What clients of `before` would trip over, but for what is a correction or what a new first number tells."""
    if before["info"]["version"].split(".")[0] != after["info"]["version"].split(".")[0]:
        return []
    return [each for each in breaking(before, after) if each not in CORRECTED]
