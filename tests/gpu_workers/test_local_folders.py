"""Folders of pictures on this machine: many at once, an answer for each, and what is there is not made again."""

import os
import shutil
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gpu_workers.local import files
from gpu_workers.local.files import find
from gpu_workers.local.rendering import Ended, Rendering
from gpu_workers.local.report import Report
from gpu_workers.local.studio import NoNetwork, Order, Output, Source, Studio
from gpu_workers.models.manifest import ModelError
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.pools import admission, memory_model
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.serving.serving import Network
from gpu_workers.sources.decoding import header
from streams.flow.processors.judging import judge
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.gpu_workers.local_pictures import PICTURES, opened, photograph

pytestmark = pytest.mark.usefixtures("reads_nothing")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(cutout_pool, "open_network", opened)
    return Settings(data_folder=tmp_path / "data", source_file_roots=["/"], source_max_bytes=200_000)


class Folder:
    """Pictures in a folder, and what becomes of them in another."""

    def __init__(self, settings: Settings, root: Path) -> None:
        self.settings, self.source, self.target = settings, root / "in", root / "out"
        self.source.mkdir()

    def put(self, *names: str, content: bytes | None = None) -> None:
        for name in names:
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            (self.source / name).write_bytes(photograph() if content is None else content)

    def render(self, threads: int = 3, **parameters: str) -> list[Ended]:
        with Studio(self.settings, judge, threads=threads) as studio:
            order = studio.order("cutout", None, "", parameters)
            self.target.mkdir(exist_ok=True)
            rendering = Rendering(self.settings, studio, order, self.target)
            return list(rendering.run(find([self.source], self.target).jobs, threads, lambda *_: None))

    def made(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.target)): path.read_bytes()
            for path in sorted(self.target.rglob("*"))
            if path.is_file() and path.name != files.REPORT
        }


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Folder:
    return Folder(settings, tmp_path)


def outcomes(ended: Sequence[Ended]) -> Counter[str]:
    return Counter("known" if each.is_known else each.line.code or each.line.outcome for each in ended)


def test_a_folder_of_bad_and_good_pictures_ends_with_an_answer_for_each(folder: Folder) -> None:
    pictures = {name: each for name, each in PICTURES.items() if name != "breaks.png"}  # which ends the engine for all
    for name, (_, content) in pictures.items():
        folder.put(name, content=content())
    (folder.source / "missing.png").unlink()
    (folder.source / "missing.png").symlink_to("nowhere")
    folder.put("deep/er/b.png")
    ended = folder.render(threads=1)  # libvips has one buffer a process for what it says is wrong with a file
    answers = {Path(each.line.source).name: each.line.code for each in ended}
    assert answers == {name: code for name, (code, _) in pictures.items()} | {"b.png": ""}
    assert all(name in each.line.message for each in ended for name in [Path(each.line.source).name] if each.line.code)
    assert set(folder.made()) == {"good.png", "deep/er/b.png"}


def test_what_is_done_is_not_done_again_and_what_changed_is(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("a.png", "b.png", "c.png")
    folder.put("bad.png", content=b"no")
    assert outcomes(folder.render()) == {"done": 3, "source_not_an_image": 1}
    first = folder.made()
    worked: list[str] = []
    render = Studio.render

    def noted(studio: Studio, order: Order, sources: Sequence[Source]) -> Output:
        worked.append(Path(sources[0].name).name)
        return render(studio, order, sources)

    monkeypatch.setattr(Studio, "render", noted)
    assert outcomes(folder.render()) == {"known": 3, "source_not_an_image": 1}
    folder.put("b.png", content=photograph(product=(160, 120, 20)))
    (folder.target / "c.png").unlink()
    assert outcomes(folder.render()) == {"known": 1, "done": 2, "source_not_an_image": 1}
    assert sorted(name for name in worked if name != "bad.png") == ["b.png", "c.png"]
    now = folder.made()
    assert now["a.png"] == first["a.png"]
    assert now["b.png"] != first["b.png"]
    assert now["c.png"] == first["c.png"]
    assert outcomes(folder.render(speckle_share="0.2"))["known"] == 0, "other parameters make other pictures"


def test_a_file_that_we_did_not_make_is_never_replaced(folder: Folder) -> None:
    folder.put("a.png", "b.png")
    folder.target.mkdir()
    (folder.target / "a.png").write_bytes(b"somebody's own")
    assert outcomes(folder.render()) == {"done": 1, "target_exists": 1}
    (folder.target / "b.png").write_bytes(b"retouched by hand")
    assert outcomes(folder.render()) == {"known": 1, "target_exists": 1}
    assert outcomes(folder.render(speckle_share="0.2")) == {"target_exists": 2}
    assert set(folder.made().values()) == {b"somebody's own", b"retouched by hand"}


def test_a_run_that_was_killed_between_a_file_and_its_line_goes_on(folder: Folder) -> None:
    folder.put("a.png", "b.png")
    folder.render(threads=1)
    report = folder.target / files.REPORT
    lines = report.read_bytes().splitlines(keepends=True)
    report.write_bytes(lines[0] + lines[1][: len(lines[1]) // 2])
    assert outcomes(folder.render()) == {"known": 1, "done": 1}, "its picture is the same, and so ours"
    assert len([line for line in report.read_bytes().splitlines() if line.endswith(b"}")]) == 2
    assert outcomes(folder.render()) == {"known": 2}


def test_no_file_is_written_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "deep" / "out.png"
    files.write(target, b"old")

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refused, match=r"out\.png cannot be written: No space left") as caught:
        files.write(target, b"new")
    assert (caught.value.code, caught.value.field) == ("not_written", "OUT")
    assert [path.read_bytes() for path in target.parent.iterdir()] == [b"old"]


def test_writing_follows_a_link_and_leaves_a_device_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    files.write(tmp_path / "link.png", b"new")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write(tmp_path / "pipe", b"through")
        assert os.read(reading, 100) == b"through"
    finally:
        os.close(reading)
    for wrong in (tmp_path, tmp_path / "real.png" / "out.png"):
        with pytest.raises(Refused):
            files.write(wrong, b"")


def test_pictures_at_once_wait_for_memory_and_none_is_refused_for_the_others(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory for one picture and a half: of four threads one works at a time."""
    folder.put(*(f"{number}.png" for number in range(6)))
    one = memory_model.photograph_bytes("cutout", len(photograph()), header(photograph()), memory_model.KEPT_PIXELS_MAX)
    mb = admission.PROCESS_MB + 4 * folder.settings.source_max_bytes // admission.MB + one * 3 // 2 // admission.MB + 1
    folder.settings = replace(folder.settings, memory_budget_mb=mb)
    inside, most, lock = 0, 0, threading.Lock()
    cutout = cutting.cutout

    def counted(*given: object) -> cutting.Cutout:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        try:
            return cutout(*given)  # type: ignore[arg-type]
        finally:
            with lock:
                inside -= 1

    monkeypatch.setattr(cutting, "cutout", counted)
    assert outcomes(folder.render(threads=4)) == {"done": 6}
    assert most == 1


def test_a_network_that_cannot_be_opened_ends_all_at_once(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Network:
        raise ModelError("its weights are missing")

    monkeypatch.setattr(cutout_pool, "open_network", missing)
    folder.put("a.png", "b.png")
    with pytest.raises(NoNetwork, match="its weights are missing"):
        folder.render()
    assert folder.made() == {}


def test_an_error_that_nobody_foresaw_is_one_pictures_answer(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("a.png", "b.png")
    cutout, once = cutting.cutout, iter([True])

    def breaks(*given: object) -> cutting.Cutout:
        if next(once, False):
            raise ZeroDivisionError("nobody foresaw it")
        return cutout(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(cutting, "cutout", breaks)
    ended = folder.render(threads=1)
    assert outcomes(ended) == {"done": 1, "unexpected": 1}
    assert any("a.png: ZeroDivisionError: nobody foresaw it" in each.line.message for each in ended)


def names(sources: Sequence[Path], target: Path) -> dict[str, str]:
    return {str(job.source.relative_to(target.parent)): str(job.name) for job in find(sources, target).jobs}


def test_the_tree_of_a_folder_is_kept_and_what_is_no_picture_is_left_out(folder: Folder) -> None:
    folder.put("a.jpg", "a.png", "sub/a.png", "sub/no suffix", "B.PNG", "c.1.png")
    folder.put("notes.txt", ".hidden.png", ".git/x.png", content=b"text")
    folder.put("in progress/x.png")
    shutil.copytree(folder.source / "sub", folder.source / "out")
    (folder.source / "round").symlink_to(folder.source)
    found = find([folder.source], folder.source / "out")
    assert {str(job.source.relative_to(folder.source)): str(job.name) for job in found.jobs} == {
        "B.PNG": "B",
        "a.jpg": "a.jpg",
        "a.png": "a.png",
        "c.1.png": "c.1",
        "in progress/x.png": "in progress/x",
        "sub/a.png": "sub/a",
        "sub/no suffix": "sub/no suffix",
    }
    assert sorted(path.name for path in found.left_out) == ["notes.txt", "round"]


def test_files_of_one_name_are_reported_before_anything_is_made(folder: Folder) -> None:
    folder.put("x/a.png", "y/a.png", "y/b.png")
    one, other = folder.source / "x/a.png", folder.source / "y/a.png"
    with pytest.raises(Refused, match=r"x/a\.png and .*y/a\.png would be one file") as caught:
        find([one, other], folder.target)
    assert (caught.value.code, caught.value.field) == ("same_name", "IN")
    assert len(find([one, one, folder.source / "y/b.png"], folder.target).jobs) == 2
    with pytest.raises(Refused, match="both IN and OUT"):
        find([folder.source], folder.source)


def test_patterns_are_ours_where_a_shell_has_left_them(folder: Folder) -> None:
    folder.put("a.jpg", "b.png", "sub/c.jpg", "[1].png")
    found = files.expanded([str(folder.source / "**" / "*.jpg"), str(folder.source / "[1].png")])
    assert [path.name for path in found] == ["a.jpg", "c.jpg", "[1].png"]
    with pytest.raises(Refused, match="no such file"):
        files.expanded([str(folder.source / "*.tif")])


def test_a_name_that_is_no_text_is_reported_and_found_again(folder: Folder) -> None:
    (folder.source / os.fsdecode(b"caf\xe9.png")).write_bytes(photograph())
    assert outcomes(folder.render()) == {"done": 1}
    assert outcomes(folder.render()) == {"known": 1}
    assert Report(folder.target / files.REPORT).last(r"caf\udce9.png") is not None
