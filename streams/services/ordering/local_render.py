"""`packshot render`: one operation on files, on this machine, with the flow's own gates."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpu_workers.local import files
from gpu_workers.local.files import Jobs
from gpu_workers.local.rendering import Ended, Rendering, source_of, streamed
from gpu_workers.local.report import Line
from gpu_workers.local.studio import NoNetwork, Order, Output, Source, Studio
from gpu_workers.sources.http import Readable
from gpu_workers.threads import one_thread_each
from schemas.decoding import prepare
from schemas.records import Verdict
from schemas.wording import Told, told
from streams.flow.processors.judging import judge
from streams.runtime.errors import Refused
from streams.runtime.observability import set_up_command
from streams.runtime.settings import Settings
from streams.services.reports.views import View

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Wanted:
    """An operation with its parameters, for a channel and a category; `model`, NAME@VERSION, cuts out. `role`: see
    `gpu_workers.local.studio.Order`."""

    operation: str
    channel: str | None = None
    category: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    role: str = ""


@dataclass(frozen=True)
class Summary:
    """What became of many pictures. `known` of those done or waiting had been made before; `waits` counts the checks
    for which a person would look, `refused` the codes; `left_out` are files that are no pictures. `mean_s` is how long
    one took that was made now, several being made at a time. `report` is the file with a line a picture."""

    done: int
    waiting: int
    known: int
    waits: Mapping[str, int]
    refused: Mapping[str, int]
    refusals: Sequence[Line]
    left_out: int
    seconds: float
    mean_s: float | None
    report: Path

    @property
    def refused_total(self) -> int:
        """How many pictures were refused."""
        return sum(self.refused.values())


class RenderView(View, frozen=True, kw_only=True):
    """A picture that was made: its file, what the gates say of it, what was measured, and what the words among its
    parameters say."""

    file: str
    verdict: Verdict | None
    measures: Mapping[str, float]
    words: Told | None


class SummaryView(View, frozen=True, kw_only=True):
    """What became of many pictures; see Summary. Which were refused, and why, stands in the file `report`."""

    done: int
    waiting: int
    known: int
    waits: Mapping[str, int]
    refused: Mapping[str, int]
    left_out: int
    seconds: float
    mean_s: float | None
    report: str


def render_view(target: Path, made: Output, wanted: Wanted) -> RenderView:
    """A picture that was made into a file, as it is told."""
    words = told(wanted.parameters)
    return RenderView(file=str(target), verdict=made.verdict, measures=made.measures, words=words)


def summary_view(summary: Summary) -> SummaryView:
    """A summary as it is told."""
    names = (name for name in SummaryView.__struct_fields__ if name != "report")
    return SummaryView(**{name: getattr(summary, name) for name in names}, report=str(summary.report))


def open_studio(settings: Settings, model: str | None = None, threads: int = 1) -> Studio:
    """The operations on this machine, as the flow's roles have them. Raises Refused."""
    one_thread_each()
    return Studio(settings, judge, model, threads)


def render_one(settings: Settings, wanted: Wanted, sources: Sequence[Path | Readable]) -> Output | Refused:
    """One picture of all the sources, the first being the main one, or why there is none.

    Raises Refused where no source is at fault.
    """
    set_up_command(settings)
    with open_studio(settings, wanted.model) as studio:
        order = _order(studio, wanted)
        try:
            return studio.render(order, [_source(each, settings) for each in sources])
        except NoNetwork:
            raise
        except Refused as refusal:
            return refusal


def render_many(
    settings: Settings, wanted: Wanted, sources: Sequence[str], folder: Path, progress: Progress
) -> Summary:
    """A picture of each source in a folder, several at a time; what the folder's report says is done is left alone.

    Raises Refused where nothing can be made, and OSError where nothing can be written.
    """
    began_s = time.monotonic()
    set_up_command(settings)
    found = files.find(files.expanded(sources), folder)
    threads = max(1, min(settings.threads, len(found.jobs)))
    with open_studio(settings, wanted.model, threads) as studio:
        order = _order(studio, wanted)
        folder.mkdir(parents=True, exist_ok=True)
        rendering = Rendering(settings, studio, order, folder)
        ended = list(rendering.run(found.jobs, threads, progress))
    return _summary(ended, found, time.monotonic() - began_s, folder / files.REPORT)


def is_folder(sources: Sequence[str], target: str) -> bool:
    """Whether each source becomes a file in the folder `target`; else all of them together become one file."""
    if target.endswith("/") or Path(target).is_dir():
        return True
    several = len(sources) > 1 and not Path(target).suffix
    return several or any(Path(source).is_dir() or files.is_pattern(source) for source in sources)


def _order(studio: Studio, wanted: Wanted) -> Order:
    return studio.order(wanted.operation, wanted.channel, wanted.category, wanted.parameters, wanted.role)


def _source(source: Path | Readable, settings: Settings) -> Source:
    return source_of(source, settings) if isinstance(source, Path) else streamed(source, settings)


def _summary(ended: Sequence[Ended], found: Jobs, seconds: float, report: Path) -> Summary:
    lines = [each.line for each in ended]
    refusals = sorted((line for line in lines if line.outcome == "refused"), key=lambda line: line.source)
    outcomes = Counter(line.outcome for line in lines)
    known = sum(each.is_known for each in ended)
    made_now = outcomes["done"] + outcomes["waits"] - known
    return Summary(
        done=outcomes["done"],
        waiting=outcomes["waits"],
        known=known,
        waits=Counter(check for line in lines for check in _doubtful(line)),
        refused=Counter(line.code for line in refusals),
        refusals=refusals,
        left_out=len(found.left_out),
        seconds=round(seconds, 3),
        mean_s=round(seconds / made_now, 3) if made_now else None,
        report=report,
    )


def _doubtful(line: Line) -> list[str]:
    checks = line.verdict.checks if line.verdict is not None else []
    return [check.name for check in checks if check.outcome in ("review", "fail")]


prepare(RenderView, SummaryView)
