"""What all records are made of: their base, and field types that carry their constraints."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.text import CODE_MAX, FIELD_MAX, FIT, FIT_LINES, FIT_NAME, ID_MAX, MESSAGE_MAX, REASON_MAX, whole

Change = Literal["upsert", "delete"]
Lane = Literal["urgent", "standard", "bulk"]
Outcome = Literal["done", "superseded", "cancelled", "expired"]
FailureKind = Literal["transient", "permanent", "poison"]
CheckOutcome = Literal["pass", "review", "fail", "not_run"]
VerdictOutcome = Literal["pass", "review", "fail"]
Resolution = Literal["replayed", "discarded"]
RatingPurpose = Literal["thumb", "sample"]
ReleaseKind = Literal["recipe", "defaults", "channel"]
ReleaseStage = Literal["shadow", "canary", "stable", "withdrawn"]

LANES: tuple[Lane, ...] = ("urgent", "standard", "bulk")

_NAME = "[A-Za-z0-9][A-Za-z0-9._-]"
_DOUBLE_MAX = 1e300  # finite, and so neither an infinity nor no number at all
MANY = 100_000  # more than a record holds that may be written

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=whole(f"{_NAME}*"))]
AssetName = Annotated[str, Meta(min_length=1, max_length=200, pattern=whole(f"{_NAME}*"))]
ModelRef = Annotated[str, Meta(max_length=129, pattern=whole(f"{_NAME}{{0,63}}@{_NAME}{{0,63}}"))]
Sha256 = Annotated[str, Meta(max_length=64, pattern=whole("[0-9a-f]{64}"))]
Sku = Annotated[str, Meta(min_length=1, max_length=128, pattern=whole(FIT_NAME))]
Label = Annotated[str, Meta(max_length=256, pattern=whole(FIT))]
Text = Annotated[str, Meta(max_length=1024, pattern=whole(FIT))]
Uri = Annotated[str, Meta(min_length=1, max_length=4096, pattern=whole(FIT))]
Srcset = Annotated[str, Meta(max_length=65_536, pattern=whole(FIT))]
Yaml = Annotated[str, Meta(min_length=1, max_length=65_536, pattern=whole(FIT_LINES))]
EventId = Annotated[str, Meta(max_length=ID_MAX, pattern=whole(FIT))]
Code = Annotated[str, Meta(max_length=CODE_MAX, pattern=whole(FIT))]
FieldPath = Annotated[str, Meta(max_length=FIELD_MAX, pattern=whole(FIT))]
Message = Annotated[str, Meta(max_length=MESSAGE_MAX, pattern=whole(FIT))]
Reason = Annotated[str, Meta(max_length=REASON_MAX, pattern=whole(FIT))]
Version = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]  # Unix time; to the end of the year 9999
Pixels = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Nanos = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Number = Annotated[float, Meta(ge=-_DOUBLE_MAX, le=_DOUBLE_MAX)]
Parameters = Annotated[dict[Annotated[Label, Meta(min_length=1)], Text], Meta(max_length=64)]
Measures = Annotated[dict[Label, Number], Meta(max_length=1024)]
Models = Annotated[list[ModelRef], Meta(max_length=64)]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """Base of every record: immutable, keyword-only, unknown fields refused."""
