"""Logs, traces and metrics of a process, set up once; everywhere else the libraries' own calls are used."""

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from prometheus_client import Counter

from schemas.text import printable
from streams.runtime.masking import masked
from streams.runtime.private import open_private
from streams.runtime.settings import Settings

LINE_MAX = 100_000  # characters of one logged value
tracer = trace.get_tracer("packshot")
unwritten = Counter("packshot_log_unwritten_total", "Times that the log could not be written, such as on a full disk")


def set_up(settings: Settings, role: str) -> None:
    """Sets up logging and tracing for this process."""
    _set_up_logs(settings)
    structlog.contextvars.bind_contextvars(role=role)
    # Spans that go nowhere are not recorded, unless whoever asked records theirs; they have their ids all the same.
    sampler = None if settings.traces else ParentBased(ALWAYS_OFF)
    provider = TracerProvider(sampler, resource=Resource.create({"service.name": f"packshot-{role}"}))
    if settings.traces:
        provider.add_span_processor(BatchSpanProcessor(_exporter(settings.traces)))
    trace.set_tracer_provider(provider)


def log_to_stderr(settings: Settings) -> None:
    """Has the log of a command that a person waits for beside what it prints, and not in it."""
    _set_up_logs(replace(settings, log_level="warning"))


def set_up_command(settings: Settings) -> None:
    """Sets up both for a command that a person waits for: what an engine is and the like is not for its screen."""
    set_up(replace(settings, log_level="warning"), "command")


@contextmanager
def span(name: str, headers: Mapping[str, str], attributes: Mapping[str, str | int]) -> Iterator[None]:
    """A span that continues the trace in the headers, if there is one."""
    with tracer.start_as_current_span(name, context=propagate.extract(headers), attributes=dict(attributes)):
        yield


def trace_headers() -> dict[str, str]:
    """The current span as W3C headers."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def _set_up_logs(settings: Settings) -> None:
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    as_console = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    is_json = settings.log_format == "json"
    rendered: list[structlog.types.Processor] = (
        [structlog.processors.JSONRenderer(), _masked] if is_json else [_fit, as_console, _masked]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            _add_trace,
            structlog.processors.format_exc_info,
            *rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Unfailing())),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LibraryFormatter("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler])


class _Unfailing(io.TextIOBase):
    """Standard error, but lines are lost and counted where they cannot be written: on a full disk, to a closed pipe.

    Whoever logs is at work on something that is not at fault, and would be answered as if it were.
    """

    def write(self, text: str) -> int:
        """All of it counts as written."""
        self._try(lambda: sys.stderr.write(text))
        return len(text)

    def flush(self) -> None:
        """Writes what is left, if that can be."""
        self._try(sys.stderr.flush)

    def _try(self, call: Callable[[], object]) -> None:
        try:
            call()
        except OSError:
            unwritten.inc()


class _LibraryFormatter(logging.Formatter):
    """The libraries' own lines; the further lines of one are indented, so that no text looks like a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(_lines(super().format(record)))


def _lines(text: str) -> str:
    return "\n    ".join(printable(line, LINE_MAX) for line in text.split("\n"))


def _fit(_logger: object, _name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """What is logged, as it may stand on a terminal."""
    trace_back = event.pop("exception", None)
    shown: structlog.types.EventDict = {str(_shown(key)): _shown(value) for key, value in event.items()}
    if trace_back is not None:
        shown["exception"] = "    " + _lines(str(trace_back))
    return shown


def _shown(value: object) -> object:
    return value if isinstance(value, int | float | None) else printable(str(value), LINE_MAX)


def _masked(_logger: object, _name: str, line: Any) -> str:
    return masked(str(line))


def _add_trace(_logger: object, _name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
    return event


def _exporter(target: str) -> SpanExporter:
    if target == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "a", buffering=1)
    return ConsoleSpanExporter(out=file, formatter=_one_line)


def _one_line(span: ReadableSpan) -> str:
    return f"{masked(span.to_json(indent=None))}\n"
