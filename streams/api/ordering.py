"""How an order of a picture is described in OpenAPI: its body in each form, and its operation's parameters."""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.operations import OPERATIONS

OPERATION_OF = {"/v1/cutouts": "cutout", "/v1/packshots": "packshot", "/v1/mockups": "mockup"}
RENDERS, JOB, UPLOAD = "/v1/renders", "/v1/jobs/{job_id}", "/v1/uploads/{upload_id}"
TEXT = (
    "The photograph is the body itself, `image` in a form, an address (`source.uri` in JSON, `imageUrl` in a query) or "
    "the id of an upload (`upload_id`). Parameters go into the query, the form or JSON's `parameters`, by their names "
    "here or by Photoroom's and Claid's."
)
_CHANNEL = {"type": "string", "description": "The channel that the picture is for; see /v1/channels."}
_CATEGORY = {"type": "string", "description": "The product's category, which rules may go by."}
_OF_RECIPE = {
    "recipe": {"type": "string", "description": "The recipe; see /v1/recipes."},
    "asset": {"type": "string", "description": "Which of a recipe's pictures, where it makes several for a channel."},
}
_FILE = {"type": "string", "contentMediaType": "image/*"}
_MADE = {
    "description": "The picture, or the job as JSON, by `Accept`.",
    "content": {
        "image/*": {"schema": _FILE},
        "application/json": {"schema": {"$ref": "#/components/schemas/JobView"}},
    },
}
_PHOTOGRAPH = {
    "source": {"type": "object", "properties": {"uri": {"type": "string"}, "sha256": {"type": "string"}}},
    "upload_id": {"type": "string"},
}


def described(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    """What is added to the description of an operation that takes or answers pictures; nothing for any other."""
    if (path, method) == (UPLOAD, "put"):
        return {"requestBody": {"content": {"image/*": {"schema": _FILE}}, "required": True}}
    if path == JOB:
        return {"responses": {**operation["responses"], "200": _MADE}}
    return _order(path, operation) if path in OPERATION_OF or path == RENDERS else {}


def _order(path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    own = {"category": _CATEGORY} if path == "/v1/cutouts" else {"channel": _CHANNEL, "category": _CATEGORY}
    own |= _OF_RECIPE if path == RENDERS else {}
    parameters = {} if path == RENDERS else _parameters(OPERATION_OF[path])
    in_query = {**own, **parameters, "upload_id": _PHOTOGRAPH["upload_id"], "imageUrl": {"type": "string"}}
    return {
        "description": f"{operation.get('description', '')} {TEXT}".strip(),
        "parameters": [*operation.get("parameters", []), *(_in_query(*each) for each in in_query.items())],
        "requestBody": {"content": _content(own, parameters), "required": False},
        "responses": {**operation["responses"], "200": _MADE},
    }


def _parameters(operation: str) -> dict[str, Any]:
    """An operation's parameters by name. None refers to another schema."""
    (_,), schemas = msgspec.json.schema_components([OPERATIONS[operation].parameters], ref_template="{name}")
    (schema,) = schemas.values()
    properties: dict[str, Any] = schema["properties"]
    return properties


def _in_query(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key != "description"}
    description = {"description": schema["description"]} if "description" in schema else {}
    return {"name": name, "in": "query", "required": False, "schema": kept, **description}


def _content(own: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    form = {"image": _FILE, **own, **parameters, "upload_id": _PHOTOGRAPH["upload_id"]}
    own_parameters = {"type": "object", "properties": parameters} if parameters else {"type": "object"}
    return {
        "image/*": {"schema": _FILE},
        "application/octet-stream": {"schema": _FILE},
        "multipart/form-data": {"schema": {"type": "object", "properties": form}},
        "application/json": {
            "schema": {"type": "object", "properties": {**_PHOTOGRAPH, **own, "parameters": own_parameters}}
        },
    }
