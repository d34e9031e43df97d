"""The processors: event in, events out, with the facts at hand. No broker, no clock, no pixels."""

from collections.abc import Callable, Sequence
from typing import Any

from schemas.records import Event
from streams.facts import Facts
from streams.runtime.errors import Refused

# A Refused among the answers makes a letter of the event itself; the other answers are written all the same.
Answers = Sequence[Event | Refused]
Processor = Callable[[Any, Facts], Answers]
