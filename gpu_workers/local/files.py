"""Files on this machine: which pictures are meant, where what is made of each goes, and writing that whole."""

import glob
import mimetypes
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_workers.sources.errors import NotAnImage
from gpu_workers.sources.media_types import sniff
from schemas.operations import OPERATIONS
from streams.runtime.errors import Refused

REPORT = "packshot-report.jsonl"
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "video/mp4": ".mp4"}
_PICTURES = (".jpg", ".jpeg", ".png")
_SNIFFED_BYTES = 4096  # formats show in a file's first bytes


@dataclass(frozen=True)
class Job:
    """A picture's file, and what is made of it: a file of this `name` in the folder, but for its suffix."""

    source: Path
    name: Path

    def made_as(self, media_type: str) -> Path:
        """The name within the folder, whole."""
        return self.name.with_name(self.name.name + SUFFIXES[media_type])


@dataclass(frozen=True)
class Jobs:
    """What is to be done, and what lies in the folders and is no picture."""

    jobs: Sequence[Job]
    left_out: Sequence[Path]


def expanded(sources: Sequence[str]) -> list[Path]:
    """The files and folders of these names, and the files of patterns (`*.jpg`, `**/*.png`). Raises Refused for a
    pattern that has none."""
    return [path for source in sources for path in _meant(source)]


def is_pattern(source: str) -> bool:
    """Whether a name means files by a pattern, which a shell has left to us."""
    return glob.has_magic(source) and not os.path.lexists(source)


def find(sources: Sequence[Path], target: Path) -> Jobs:
    """A job for each file, and for each picture in each folder and those below it, whose tree the target folder keeps.

    Two that would be one file, a.jpg and a.png, become a.jpg.png and a.png.png. Raises Refused for those that are one
    even so, and for a folder that cannot be read or is the target itself.
    """
    found: list[Job] = []
    left_out: list[Path] = []
    for source in sources:
        if not source.is_dir():
            found.append(Job(source, Path(source.name)))
            continue
        for path in _files_in(source, target):
            if _is_picture(path):
                found.append(Job(path, path.relative_to(source)))
            else:
                left_out.append(path)
    return Jobs(_named(found), left_out)


def role_for(operation: str, suffix: str) -> str:
    """Which of the files of an operation that makes several a file's `suffix` means, "" being its picture; the first
    beside that where there is no suffix. Raises Refused."""
    beside = OPERATIONS[operation].beside if operation in OPERATIONS else {}
    if not beside:
        return ""
    roles = {SUFFIXES[media_type]: role for role, media_type in beside.items()} | dict.fromkeys(_PICTURES, "")
    suffix = suffix.casefold() or next(iter(roles))
    if suffix not in roles:
        why = f"no {operation} is made as {suffix}; it is made as: {', '.join(roles)}"
        raise Refused("unknown_format", why, field="OUT")
    return roles[suffix]


def write(target: Path, data: bytes) -> None:
    """Writes a file, whole or not at all, and makes the folder that it goes to. Raises Refused."""
    try:
        target = Path(os.path.realpath(target))
        if target.exists() and not target.is_file() and not target.is_dir():
            target.write_bytes(data)  # a device or a pipe stays what it is
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(target, data)
    except OSError as error:
        raise Refused("not_written", f"{target} cannot be written: {error.strerror}", field="OUT") from error


def _write_whole(target: Path, data: bytes) -> None:
    part = target.with_name(f".packshot-{secrets.token_hex(8)}")  # hidden: no run takes it for a picture
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _meant(source: str) -> list[Path]:
    if not is_pattern(source):
        return [Path(source)]
    found = [Path(name) for name in sorted(glob.glob(source, recursive=True)) if os.path.isfile(name)]
    if not found:
        raise Refused("source_not_found", f"{source}: there is no such file", field="IN")
    return found


def _files_in(folder: Path, target: Path) -> Iterator[Path]:
    """What lies in a folder and below it, in the order of names; neither the target, nor what is hidden."""
    if _is_same(folder, target):
        raise Refused("same_folder", f"{folder} is both IN and OUT; OUT may lie within it", field="OUT")
    for at, folders, names in os.walk(folder, onerror=_refuse_folder):
        inside = [Path(at) / name for name in sorted(folders) if not name.startswith(".")]
        folders[:] = [path.name for path in inside if not _is_same(path, target)]
        yield from (path for path in inside if path.is_symlink())  # which are not followed: they may lead round
        yield from (Path(at) / name for name in sorted(names) if not name.startswith(".") and name != REPORT)


def _refuse_folder(error: OSError) -> None:
    raise Refused("source_forbidden", f"{error.filename}: {error.strerror}", field="IN") from error


def _is_same(folder: Path, target: Path) -> bool:
    return target.exists() and folder.samefile(target)


def _is_picture(path: Path) -> bool:
    """Whether a file says by its name or its content that it is one, be it of a kind that we do not read."""
    if path.exists() and not path.is_file():  # a link that leads nowhere is answered as what it was to be
        return False
    if (mimetypes.guess_type(path.name)[0] or "").startswith("image/"):
        return True
    try:
        with path.open("rb") as file:
            sniff(file.read(_SNIFFED_BYTES))
    except NotAnImage:
        return False
    except OSError:
        return True  # why it cannot be read is told as its answer
    return True


def _named(found: Sequence[Job]) -> list[Job]:
    """The jobs with the names of what is made: the source's own, without its suffix where that tells it apart."""
    found = list(dict.fromkeys(found))
    short = Counter(_key(job.name.with_suffix("")) for job in found)
    named = [job if short[_key(job.name.with_suffix(""))] > 1 else _without_suffix(job) for job in found]
    first: dict[str, Path] = {}
    for job in named:
        other = first.setdefault(_key(job.name), job.source)
        if other != job.source:
            raise Refused("same_name", f"{other} and {job.source} would be one file; name a folder of both", field="IN")
    return named


def _without_suffix(job: Job) -> Job:
    return Job(job.source, job.name.with_suffix(""))


def _key(name: Path) -> str:
    return str(name).casefold()  # a disk may not tell A.png and a.png apart
