"""The topics' description, AsyncAPI 3: generated from the topics and their schemas, kept in schemas/asyncapi.json.

It says all that a producer or a consumer of another make has to know: key, headers, framing, schema ids, sizes.
"""

from pathlib import Path
from typing import Any

from schemas import codec, history, topics
from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, Event
from schemas.topics import Topic
from streams.api.openapi import VERSION

FILE = Path(__file__).parents[2] / "schemas" / "asyncapi.json"
RETRY_DELAYS_MS = (1000, 5000, 30_000)  # as they are set by default
OURS_TO_READ = (topics.PUBLISHED,)
OTHERS_WRITE = (CatalogChanged, CampaignRequested, CampaignCancelled)
AVRO = "application/vnd.apache.avro+json;version=1.12.0"
TEXT = """
Events of Packshot on Kafka. A value is a zero byte, the schema's id as 4 bytes (big-endian), and the record in Avro's
binary form. Without a schema registry the id is `x-schema-id` of the message: the first 4 bytes of the SHA-256 of the
schema's parsing canonical form, without the highest bit; with one it is the registry's. The key is UTF-8:
`tenant|sku` for products, `tenant|campaign` for campaigns. An event with another key, or with none, is a dead letter
`wrong_key` whose field is `key`. Partitions are chosen by murmur2, Kafka's own way: librdkafka needs
`partitioner=murmur2_random`. The schema id alone says which record it is; headers are CloudEvents 1.0, and may carry
a W3C trace context: `ce_id` names the event in letters, without it the record's place does. A record has at most
999,424 bytes with key and headers. JSON is not read from Kafka: who has no Avro sends NDJSON to
`POST /v1/products:batch`, which answers each line, and follows `GET /v1/events` or asks for webhooks.
"""
HOLDS = {"imagery.inbound": "what shops send by hooks, as it came"}
KEYS = {
    "imagery.inbound": "connector|the shop's id of a product",
    "imagery.catalog": "tenant|sku",
    "imagery.campaigns": "tenant|campaign",
    "imagery.letters": "topic/partition/offset of the letter",
    "imagery.models": "operation",
    "imagery.recipes": "recipe, channel, or tenant| for a tenant's defaults",
}


def document() -> dict[str, Any]:
    """The description of every topic."""
    every = topics.every(RETRY_DELAYS_MS)
    records = {record.__name__: record for topic in every for record in topic.records}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Packshot", "version": VERSION, "description": " ".join(TEXT.split())},
        "defaultContentType": "application/vnd.packshot.avro",
        "channels": {_name(topic): _channel(topic) for topic in every},
        "operations": dict(_operations()),
        "components": {"messages": {name: _message(record) for name, record in sorted(records.items())}},
    }


def _name(topic: Topic) -> str:
    return topic.name.removeprefix(topics.PREFIX).replace(".", "_").replace("-", "_")


def _channel(topic: Topic) -> dict[str, Any]:
    kept = "for ever" if topic.retention_days is None else f"for {topic.retention_days} days"
    held = HOLDS.get(topic.name, "original bytes of any event, with their story in headers")
    held = "events" if topic.records else held
    config = {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms, "max.message.bytes": topic.max_bytes}
    return {
        "address": topic.name,
        "description": f"Holds {held}; kept {kept}. The key is {KEYS.get(topic.name, 'tenant|sku')}.",
        "messages": {each.__name__: {"$ref": f"#/components/messages/{each.__name__}"} for each in topic.records},
        "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": config, "bindingVersion": "0.5.0"}},
    }


def _operations() -> Any:
    for topic in (topics.CATALOG, topics.CAMPAIGNS):
        yield f"take_{_name(topic)}", _operation("receive", topic, [r for r in topic.records if r in OTHERS_WRITE])
    for topic in OURS_TO_READ:
        yield f"tell_{_name(topic)}", _operation("send", topic, list(topic.records))


def _operation(action: str, topic: Topic, records: list[type[Event]]) -> dict[str, Any]:
    channel = f"#/channels/{_name(topic)}"
    messages = [{"$ref": f"{channel}/messages/{record.__name__}"} for record in records]
    return {"action": action, "channel": {"$ref": channel}, "messages": messages}


def _message(record: type[Event]) -> dict[str, Any]:
    attributes = {name: {"type": "string"} for name in ("ce_id", "ce_source", "ce_time", "traceparent", "tracestate")}
    fixed = {"ce_specversion": "1.0", "ce_type": f"packshot.{record.__name__}"}
    headers = attributes | {name: {"type": "string", "const": value} for name, value in fixed.items()}
    return {
        "name": record.__name__,
        "summary": " ".join((record.__doc__ or "").split()),
        "headers": {"type": "object", "properties": headers},
        "payload": {"schemaFormat": AVRO, "schema": history.written(history.schema_of(record))},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
        "x-schema-id": codec.schema_id(record),
    }
