"""What became of dead letters."""

from schemas.records.base import EventId, Milliseconds, Record, Resolution, Text


class LetterResolved(Record, frozen=True, kw_only=True, tag="LetterResolved", tag_field="type"):
    """A person has dealt with the dead letter at position `letter` (topic/partition/offset): it is open no more."""

    letter: EventId
    event_id: EventId
    resolution: Resolution
    reason: Text = ""
    resolved_by: Text = ""
    resolved_at_ms: Milliseconds
