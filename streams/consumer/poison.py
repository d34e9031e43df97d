"""What becomes of an error that nobody foresaw: a dead letter of kind poison, with the trace for a developer."""

import traceback
from dataclasses import replace

from prometheus_client import Counter

from streams.consumer.letters import Outgoing
from streams.runtime.errors import Refused

ERROR_TRACE = "packshot-error-trace"
TRACE_BYTES_MAX = 4000  # the innermost calls, which are the last, are what tells

poisoned = Counter("packshot_poison_total", "Records that ended in an error nobody foresaw", ["role", "topic"])


def poison(error: Exception, role: str, topic: str) -> Refused:
    """The refusal of a record that broke whoever worked on it, to be raised from `error`; counts it."""
    poisoned.labels(role, topic).inc()
    return Refused("unexpected", f"{type(error).__name__}: {error}", poison=True)


def with_trace(letter: Outgoing, refusal: Refused) -> Outgoing:
    """`letter` with the trace of what the refusal was raised from; itself where there is none."""
    if refusal.kind != "poison" or refusal.__cause__ is None:
        return letter
    kept = [(name, value) for name, value in letter.headers if name != ERROR_TRACE]
    return replace(letter, headers=[*kept, (ERROR_TRACE, _trace(refusal.__cause__))])


def _trace(error: BaseException) -> bytes:
    """Its end, in ASCII; what a host or a file had to say in it cannot command a terminal."""
    lines = "".join(traceback.format_exception(error)).encode("ascii", "backslashreplace").decode()
    plain = "".join(each if each.isprintable() or each == "\n" else f"\\x{ord(each):02x}" for each in lines)
    return plain.encode()[-TRACE_BYTES_MAX:]
