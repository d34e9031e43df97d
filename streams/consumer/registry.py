"""A Confluent-compatible schema registry: schemas are registered when they are first written, and asked for by id.

Subjects are `<topic>-<record>`, the topic-record naming of the field: several records share a topic.
"""

import base64
import http.client
import json
import threading
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import structlog
from fastavro.schema import SchemaParseException, UnknownType, parse_schema

from schemas import history
from schemas.codec import Codec
from schemas.records import Event
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings

TIMEOUT_S = 10.0
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
# Whatever is asked for, so no record is at fault: a user or a password, a proxy's, too many at once.
_NOBODY_IS_LET_IN = frozenset({401, 403, 407, 429})
_NO_SCHEMA = (SchemaParseException, UnknownType, ValueError, LookupError, TypeError, AttributeError, RecursionError)

log = structlog.get_logger()


def codec_of(settings: Settings) -> Codec:
    """The codec of the brokers that the settings name: with their registry, where they have one."""
    return Codec(Registry(settings.schema_registry) if settings.schema_registry else None)


class Registry:
    """See schemas.codec.SchemaRegistry. A user and password may stand in the URL. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
        if parts.username:
            user = f"{parts.username}:{parts.password or ''}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(user).decode()}"
        self._ids: dict[tuple[str, str], int] = {}
        self._schemas: dict[int, Any] = {}
        self._lock = threading.Lock()

    def id_of(self, record: type[Event], topic: str) -> int:
        """The id of the record's schema, registered if it is new. Raises Refused when the registry will not have it."""
        key = topic, record.__name__
        with self._lock:
            if key not in self._ids:
                schema = json.dumps(history.written(history.schema_of(record)))
                subject = quote(f"{topic}-packshot.{record.__name__}", safe="")
                answer = self._ask(f"/subjects/{subject}/versions", {"schemaType": "AVRO", "schema": schema})
                self._ids[key] = int(answer["id"])
            return self._ids[key]

    def schema(self, schema_id: int) -> Any | None:
        """The schema with this id, or None when the registry has none, or one that is not Avro."""
        with self._lock:
            if schema_id not in self._schemas:
                answer = self._ask(f"/schemas/ids/{schema_id}")
                if not isinstance(answer, dict) or answer.get("schemaType", "AVRO") != "AVRO":
                    return None
                self._schemas[schema_id] = _parsed(answer, schema_id)
            return self._schemas[schema_id]

    def _ask(self, path: str, body: dict[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return self._refused(error, path)
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            raise Unavailable(f"the schema registry at {self._url} does not answer: {error}") from error

    def _refused(self, error: urllib.error.HTTPError, path: str) -> None:
        """What an error means: None for a schema that is not there."""
        with error:
            text = error.read(2000).decode(errors="replace")
        if error.code == 404 and path.startswith("/schemas/"):
            return
        if error.code >= 500 or error.code in _NOBODY_IS_LET_IN:
            raise Unavailable(f"the schema registry at {self._url}: {error.code} {text}") from error
        raise Refused("schema_refused", f"the schema registry refuses {path}: {error.code} {text}") from error


def _parsed(answer: Any, schema_id: int) -> Any | None:
    """The schema in an answer; None for what is none, which others may have registered."""
    try:
        return parse_schema(json.loads(answer["schema"]))
    except _NO_SCHEMA as error:
        log.warning("no schema", schema_id=schema_id, reason=f"{type(error).__name__}: {error}")
        return None
