"""Many pictures on this machine, several at a time: each ends as a file or as an answer, none stops the others."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import structlog

from gpu_workers.local import files
from gpu_workers.local.files import Job
from gpu_workers.local.report import Line, Report
from gpu_workers.local.studio import NoNetwork, Order, Output, Source, Studio
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.sources.fetch import SourceError, from_file, from_stream
from gpu_workers.sources.http import Readable
from schemas.wording import told
from streams.blobs import StoreError
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings

Progress = Callable[[int, int], None]

log = structlog.get_logger()


@dataclass(frozen=True)
class Ended:
    """What became of a picture. `is_known`: it had been made before."""

    line: Line
    is_known: bool = False


def source_of(path: Path, settings: Settings) -> Source:
    """The picture in a file. Raises Refused."""
    try:
        return Source(str(path), from_file(path, cutout_pool.fetch_limits(settings)))
    except SourceError as error:
        raise Refused.because(error) from error


def streamed(stream: Readable, settings: Settings) -> Source:
    """The picture in a stream. Raises Refused."""
    try:
        return Source("standard input", from_stream("standard input", stream, cutout_pool.fetch_limits(settings)))
    except SourceError as error:
        raise Refused.because(error) from error


class Rendering:
    """An order carried out on many pictures, into one folder, whose report says what is there already."""

    def __init__(self, settings: Settings, studio: Studio, order: Order, folder: Path) -> None:
        self._settings = settings
        self._studio = studio
        self._order = order
        self._folder = folder
        self._report = Report(folder / files.REPORT)

    def run(self, jobs: Sequence[Job], threads: int, progress: Progress) -> Iterator[Ended]:
        """What becomes of each picture, in the order in which they end; its line is in the report by then.

        Raises NoNetwork, Unavailable, StoreError and OSError where nothing more can be made or reported.
        """
        progress(0, len(jobs))
        with ThreadPoolExecutor(threads, "render") as executor:
            running = [executor.submit(self._work, job) for job in jobs]
            try:
                for done, each in enumerate(as_completed(running), 1):
                    yield each.result()
                    progress(done, len(jobs))
            finally:
                _drop(running)  # those not begun; whatever else ends this, what is in hand is finished

    def _work(self, job: Job) -> Ended:
        began_s = time.monotonic()
        name = _shown(job.source)
        try:
            ended = self._made(job, name, partial(_since, began_s))
        except (NoNetwork, Unavailable, StoreError):
            raise
        except Refused as refusal:
            ended = Ended(_refused(name, refusal, _since(began_s)))
        except Exception as error:  # a picture that nobody foresaw is an answer, too
            log.exception("a picture broke what works on it", source=name)
            why = f"{name}: {type(error).__name__}: {error}"
            poison = Refused("unexpected", why, field="sources", poison=True)
            ended = Ended(_refused(name, poison, _since(began_s)))
        if not ended.is_known:
            self._report.add(ended.line)
        return ended

    def _made(self, job: Job, name: str, seconds: Callable[[], float]) -> Ended:
        source = source_of(job.source, self._settings)
        identity = self._order.result_id([source.fetched.sha256])
        known = self._known(job, identity)
        if known is not None:
            return Ended(known, is_known=True)
        made = self._studio.render(self._order, [source])
        target = job.made_as(made.media_type)
        self._write(target, made.file)
        line = _line(name, _shown(target), identity, made, seconds())
        return Ended(msgspec.structs.replace(line, words=told(self._order.parameters)))

    def _known(self, job: Job, identity: str) -> Line | None:
        """The line about what an earlier run made of the same, if that is still there."""
        for target in map(job.made_as, files.SUFFIXES):
            line = self._report.last(_shown(target))
            if line is not None and line.result_id == identity and (self._folder / target).is_file():
                return line
        return None

    def _write(self, target: Path, data: bytes) -> None:
        """Writes what was made, in place of what an earlier run made, and of nothing else."""
        path = self._folder / target
        if path.exists():
            found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            last = self._report.last(_shown(target))
            if found not in (last.sha256 if last else "", hashlib.sha256(data).hexdigest()):
                why = f"{path} is there, and is not what an earlier run made; take it away, or choose another folder"
                raise Refused("target_exists", why, field="OUT")
        files.write(path, data)


def _line(name: str, made_as: str, identity: str, made: Output, seconds: float) -> Line:
    waits = made.verdict is not None and made.verdict.outcome != "pass"
    return Line(
        source=name,
        outcome="waits" if waits else "done",
        made=made_as,
        sha256=hashlib.sha256(made.file).hexdigest(),
        result_id=identity,
        seconds=seconds,
        verdict=made.verdict,
        measures={measure: value for measure, value in made.measures.items() if math.isfinite(value)},
    )


def _refused(name: str, refusal: Refused, seconds: float) -> Line:
    return Line(
        source=name,
        outcome="refused",
        code=refusal.code,
        field=refusal.field,
        message=refusal.message,
        seconds=seconds,
    )


def _since(began_s: float) -> float:
    return round(time.monotonic() - began_s, 3)


def _shown(path: Path) -> str:
    """A path as a text that every report takes: a name's bytes that are no UTF-8 by their escapes."""
    return str(path).encode(errors="backslashreplace").decode()


def _drop(running: Sequence[Future[Ended]]) -> None:
    for each in running:
        each.cancel()
