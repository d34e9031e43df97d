"""The client's generated half, records and calls, from the API's description: see streams.api.generate.

What is no JSON is left out: pictures, events and batches.
"""

import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "client"
JSON = "application/json"
NAMES = {"ProductBody": "Product", "CampaignBody": "CampaignRequest", "ProductView": "KnownProduct"}
BODIES = {"ProductBody": "product", "CampaignBody": "request"}  # as arguments; of the others each field is one
PAGE = frozenset({"items", "next"})
PAGED = "cursor"  # which Client.pages asks for
HEADERS: dict[str, Any] = {"If-Match": {"type": "integer"}}  # versions, which callers have as numbers
SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
WIDTH = 110
GENERATED = "Generated from schemas/openapi.json by `python -m streams.api.generate`; not to be edited."
Schema = Mapping[str, Any]


def files(document: Schema) -> dict[Path, str]:
    """The text of each generated file."""
    made = _Client(document)
    calls = "\n\n".join(made.calls())
    records = "\n\n".join(made.records())
    used = ", ".join(sorted(made.named & set(re.findall(r"\w+", calls))))
    head = "from collections.abc import Mapping, Sequence\nfrom typing import Any\n\n"
    own = f"from streams.client.base import Call, Page, json_call, path\nfrom streams.client.records import {used}\n\n"
    base = "from streams.client.base import Record, ready\n\n\n"
    about = "What the API takes and answers; /docs says what each means."
    return {
        FOLDER / "calls.py": _formatted(
            f'"""What can be asked of the API.\n\n{GENERATED}\n"""\n\n{head}{own}\n{calls}'
        ),
        FOLDER / "records.py": _formatted(f'"""{about}\n\n{GENERATED}\n"""\n\n{head}{base}{records}\n\nready()\n'),
    }


class _Client:
    """What a description makes of a client. `named` are the records that calls take and answer."""

    def __init__(self, document: Schema) -> None:
        self._paths: Schema = document["paths"]
        self._schemas: Schema = document["components"]["schemas"]
        self.named: set[str] = set()

    def calls(self) -> Iterator[str]:
        """A function for each operation whose body and answer are JSON."""
        for path, methods in self._paths.items():
            for method, operation in methods.items():
                answer = _answer(operation)
                bodies = (operation.get("requestBody") or {}).get("content", {})
                if path.startswith("/v1/") and answer is not None and set(bodies) <= {JSON}:
                    yield self._call(path, method, operation, answer)

    def records(self) -> Iterator[str]:
        """A class for each record that calls take or answer, and LineAnswer, each behind those in it."""
        self.named.add("LineAnswer")
        left = {_name(key): self._record(key) for key in sorted(self._schemas) if _name(key) in self.named}
        while left:
            ready = next(name for name, text in left.items() if not (_words(text) - {name}) & left.keys())
            yield left.pop(ready)

    def _call(self, path: str, method: str, operation: Schema, answer: Schema) -> str:
        parameters = {each["name"]: each for each in operation.get("parameters", []) if each["name"] != PAGED}
        names = [name for name, each in parameters.items() if each["in"] == "path"]
        body, sent = self._body(operation)
        query = [each for each in parameters.values() if each["in"] == "query"]
        headers = [each for each in parameters.values() if each["in"] == "header"]
        arguments = [f"{name}: str" for name in names] + body
        arguments += [f"{_argument(each['name'])}: {_wanted(each)} = None" for each in (*query, *headers)]
        answered = self._type(answer, is_new=True) if answer else "None"
        parts = [repr(method.upper()), _path(path), answered, *([f"body={sent}"] if sent else [])]
        parts += [f"params={_given(query)}"] * bool(query) + [f"headers={_given(headers)}"] * bool(headers)
        doc = _doc(operation.get("description", operation["summary"]))
        name = _snake(operation["summary"])
        made = f"    return json_call({', '.join(parts)})\n"
        return f"def {name}({', '.join(arguments)}) -> Call[{answered}]:\n{doc}\n{made}"

    def _body(self, operation: Schema) -> tuple[list[str], str]:
        """The arguments that make a body, and how they do."""
        content = (operation.get("requestBody") or {}).get("content")
        if not content:
            return [], ""
        key = _key(content[JSON]["schema"])
        if key in BODIES:
            self.named.add(_name(key))
            return [f"{BODIES[key]}: {_name(key)}"], BODIES[key]
        schema = self._schemas[key]
        needed = [each for each in schema["properties"] if each in schema["required"]]
        others = [each for each in schema["properties"] if each not in needed]
        arguments = [f"{each}: {self._type(schema['properties'][each])}" for each in needed]
        arguments += [f"{each}: {_or_none(self._type(schema['properties'][each]))} = None" for each in others]
        pairs = ", ".join(f"{each!r}: {each}" for each in (*needed, *others))
        return arguments, f"{{{pairs}}}"

    def _record(self, key: str) -> str:
        schema = self._schemas[key]
        needed = schema.get("required", ())
        fields = [self._field(name, each, name in needed) for name, each in schema["properties"].items()]
        doc = _doc(f"See {key} there.")
        return f"class {_name(key)}(Record, frozen=True, kw_only=True):\n{doc}\n\n" + "\n".join(fields) + "\n"

    def _field(self, name: str, schema: Schema, is_needed: bool) -> str:
        kind = self._type(schema)
        if is_needed:
            return f"    {name}: {kind}"
        empty = {"Sequence": "()", "Mapping": "{}"}.get(kind.partition("[")[0])
        default = empty or repr(schema.get("default"))
        return f"    {name}: {_or_none(kind) if default == 'None' else kind} = {default}"

    def _type(self, schema: Schema, *, is_new: bool = False) -> str:
        """A schema as a type; what is not in a call's own answer is only a record where it is in one elsewhere."""
        if choices := schema.get("oneOf", schema.get("anyOf")):
            kinds = {self._type(each, is_new=is_new) for each in choices} - {"None"}
            return _or_none(kinds.pop()) if len(kinds) == 1 else "Any"
        if "$ref" in schema:
            return self._reference(_key(schema), is_new)
        match schema.get("type"):
            case "array":
                return f"Sequence[{self._type(schema.get('items', {}), is_new=is_new)}]"
            case "object":
                more = schema.get("additionalProperties")
                return f"Mapping[str, {self._type(more) if isinstance(more, Mapping) else 'Any'}]"
            case "null":
                return "None"
            case kind:
                return SIMPLE.get(str(kind), "Any")

    def _reference(self, key: str, is_new: bool) -> str:
        properties = self._schemas[key].get("properties", {})
        if is_new and "items" in properties and set(properties) <= PAGE:
            return f"Page[{self._type(properties['items']['items'], is_new=True)}]"
        if is_new:
            self.named.add(_name(key))
        return _name(key) if _name(key) in self.named else "Mapping[str, Any]"


def _answer(operation: Schema) -> Schema | None:
    """The schema of what is answered where it went well: empty for an empty answer, None for what is no JSON."""
    content: dict[str, Any]
    (content, *_) = (each.get("content", {}) for status, each in operation["responses"].items() if status != "default")
    if not content:
        return {}
    if set(content) != {JSON}:
        return None
    schema: dict[str, Any] = content[JSON].get("schema", {})
    return schema if schema and schema.get("type") != "string" else None


def _path(path: str) -> str:
    parts = path.removeprefix("/v1/").split("/")
    return f"path({', '.join(each[1:-1] if each.startswith('{') else repr(each) for each in parts)})"


def _given(parameters: Sequence[Schema]) -> str:
    return "{" + ", ".join(f"{each['name']!r}: {_argument(each['name'])}" for each in parameters) + "}"


def _wanted(parameter: Schema) -> str:
    schema = HEADERS.get(parameter["name"]) or parameter["schema"]
    types = [each.get("type") for each in schema.get("oneOf", schema.get("anyOf", [schema]))]  # one, or a list
    kinds = {name for each in types for name in (each if isinstance(each, list) else [each])} - {"null"}
    return _or_none(SIMPLE.get(str(next(iter(kinds))), "str"))


def _or_none(kind: str) -> str:
    return kind if kind == "Any" or kind.endswith("None") else f"{kind} | None"


def _argument(name: str) -> str:
    made = name.lower().replace("-", "_")
    return f"{made}_" if keyword.iskeyword(made) else made


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.partition('"""\n\n')[2]))


def _key(schema: Schema) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]


def _name(key: str) -> str:
    return NAMES.get(key, key.removesuffix("View"))


def _snake(summary: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", summary).lower()


def _doc(text: str) -> str:
    words = " ".join(text.replace("\\", "").split())
    return textwrap.indent('"""' + "\n".join(textwrap.wrap(words, WIDTH)) + '"""', "    ")


def _formatted(text: str) -> str:
    """As the formatter has it, without imports that nothing uses. A tool of those who develop this."""
    ruff = [sys.executable, "-m", "ruff"]
    for arguments in (["check", "--fix-only", "--select", "F401,I", "-q"], ["format", "-q"]):
        command = [*ruff, *arguments, "--stdin-filename", str(FOLDER / "made.py"), "-"]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return text
