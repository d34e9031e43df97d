"""What becomes of an error that nobody foresaw: a dead letter of kind poison, with the trace for a developer."""

import traceback
from dataclasses import replace

from prometheus_client import Counter

from streams.consumer.letters import Outgoing
from streams.errors import Refused

ERROR_TRACE = "packshot-error-trace"
TRACE_BYTES_MAX = 4000  # the innermost calls, which are the last, are what tells

poisoned = Counter("packshot_poison_total", "Records that ended in an error nobody foresaw", ["role"])


def poison(error: Exception, role: str) -> Refused:
    """The refusal of a record that broke whoever worked on it, to be raised from `error`; counts it."""
    poisoned.labels(role).inc()
    return Refused("unexpected", f"{type(error).__name__}: {error}", poison=True)


def with_trace(letter: Outgoing, refusal: Refused) -> Outgoing:
    """`letter` with the trace of what the refusal was raised from; itself where there is none."""
    if refusal.kind != "poison" or refusal.__cause__ is None:
        return letter
    trace = "".join(traceback.format_exception(refusal.__cause__)).encode(errors="backslashreplace")
    return replace(letter, headers=[*letter.headers, (ERROR_TRACE, trace[-TRACE_BYTES_MAX:])])
