"""Ids that are hashes of what goes in: the same work has the same id on every machine and every day."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from schemas.records import Blob, Source, Step


def content_id(*parts: object) -> str:
    """SHA-256 (hex) over the parts as JSON with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def task_id(
    tenant: str,
    sku: str,
    version: int,
    campaign: str | None,
    step: Step,
    source: Source | None,
    inputs: Sequence[Blob],
) -> str:
    """The id of one step for one version of a product."""
    return content_id("task", tenant, sku, version, campaign, step, source, [blob.digest for blob in inputs])


def lineage_id(before: str | None, step: Step) -> str:
    """The lineage of what `step` makes: an id of the steps up to it, `before` being that of those before it."""
    return content_id("way", before, step.operation, step.channel, step.parameters)


def result_id(operation: str, parameters: Mapping[str, str], digests: Sequence[str], engine: str, rules: str) -> str:
    """The id of a result: whoever asks for the same pixels, product or not, finds it in the cache."""
    return content_id("result", operation, parameters, list(digests), engine, rules)


def review_id(task: str, result: str) -> str:
    """The id of the one review of a task's result."""
    return content_id("review", task, result)


def case_id(tenant: str, sku: str, about: str, *looked_at: object) -> str:
    """The id of what is in doubt of a product: what a person looks at, and nothing of when or for how many."""
    return content_id("case", tenant, sku, about, *looked_at)


def picture_id(tenant: str, sku: str, channel: str | None, step: Step, made_of: Sequence[str], rules: str) -> str:
    """The id of a picture as it was judged: of what by which step, and by which rules; not of its product's version.

    `made_of` are the digests of what it was made of, and its own.
    """
    return content_id("picture", tenant, sku, channel, step.operation, step.parameters, list(made_of), rules)


def source_id(source: Source) -> str:
    """The id of a product's own file."""
    return content_id("source", source.uri, source.sha256)
