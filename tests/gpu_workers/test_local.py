"""Operations on this machine: the same refusals as in the pools, many pictures at once, and what is there is not made
again."""

import io
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from gpu_workers.engines import EngineError, Tensor
from gpu_workers.local import files
from gpu_workers.local.files import find
from gpu_workers.local.rendering import Ended, Rendering, source_of
from gpu_workers.local.report import Report
from gpu_workers.local.studio import NoNetwork, Studio
from gpu_workers.metering import Meter, Prices
from gpu_workers.models.manifest import ModelError, load_manifest
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.pools import admission, memory_model
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools.memory import memory_budget
from gpu_workers.results import Results
from gpu_workers.serving.batching import Batcher
from gpu_workers.serving.serving import Network, Serving
from gpu_workers.sources.decoding import header
from schemas.records import Source, Step, Task
from schemas.releases import ModelSplit
from streams.blobs import Blobs
from streams.flow.processors.judging import judge
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.e2e.system import draw_product
from tests.streams.town import MemoryStore

GREY, RED, BLUE, GREEN, BLACK = (225, 225, 228), (180, 60, 50), (30, 40, 250), (40, 230, 40), (0, 0, 0)


class Disc:
    """Sees a disc in every picture but a black one; a blue one is answered with nonsense, a green one breaks it."""

    name = "disc"
    fingerprint = "0" * 64
    input_shape = (3, 320, 320)
    max_batch = 4
    lanes = 1
    _is_lost = False

    def infer(self, batch: Tensor) -> Tensor:
        y, x = np.mgrid[:320, :320]
        answers = np.empty((len(batch), 1, 320, 320), np.float32)
        for answer, picture in zip(answers, batch, strict=True):
            red, green, blue = picture.mean(axis=(1, 2))
            self._is_lost |= bool(green > red + 0.5 and green > blue + 0.5)
            if self._is_lost:
                raise EngineError("the device is lost")
            answer[:] = ((x - 160) ** 2 + (y - 160) ** 2 < 90**2) * (red > -1.5)
            if blue > red + 0.5 and blue > green + 0.5:
                answer[:] = np.nan
        return answers

    def close(self) -> None: ...


def opened(*_: object) -> Network:
    engine = Disc()
    return Network(load_manifest("u2netp"), engine, Batcher(engine, max_batch=4, max_wait_ms=1))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(cutout_pool, "open_network", opened)
    return Settings(data_folder=tmp_path / "data", source_file_roots=["/"], source_max_bytes=200_000)


def photograph(ground: tuple[int, int, int] = GREY, product: tuple[int, int, int] = RED, side_px: int = 200) -> bytes:
    picture = Image.new("RGB", (side_px, side_px), ground)
    ImageDraw.Draw(picture).ellipse((side_px * 0.22, side_px * 0.22, side_px * 0.78, side_px * 0.78), fill=product)
    return written(picture)


def written(picture: Image.Image, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


# Pictures that end in every way that the cutout pool has, by what it says of them.
PICTURES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "good.png": ("", photograph),
    "cut.jpg": ("source_truncated", lambda: written(Image.effect_noise((300, 300), 90), "JPEG")[:4000]),
    "broken.png": ("source_corrupt", lambda: photograph().replace(b"IDAT", b"IDAX")),
    "text.png": ("source_not_an_image", lambda: b"a text"),
    "nothing.png": ("source_not_an_image", bytes),
    "small.png": ("source_too_few_pixels", lambda: photograph(side_px=40)),
    "heavy.bmp": ("source_too_large", lambda: written(Image.new("RGB", (300, 300)), "BMP")),
    "dark.png": ("no_subject", lambda: photograph(BLACK, BLACK)),
    "poison.png": ("poison_input", lambda: photograph(BLUE, BLUE)),
    "breaks.png": ("engine_failed", lambda: photograph(GREEN, GREEN)),
    "clear.png": ("no_subject", lambda: written(Image.new("RGBA", (200, 200), (9, 9, 9, 0)))),
    "missing.png": ("source_not_found", lambda: b"-"),
}


def in_pool(settings: Settings, file: Path) -> Refused | None:
    """How the cutout pool refuses a file."""
    with serving() as networks:
        pool = cutout_pool.Cutout(settings, Blobs(MemoryStore()), None, networks, memory_budget(settings, 1))
        source = Source(uri=file.as_uri())
        task = Task(
            task_id="0" * 64, tenant="t", sku="s", version=1, lane="bulk", step=Step(operation="cutout"), source=source
        )
        try:
            pool.work(task, Results(Blobs(MemoryStore())), Meter(Prices()))
        except Refused as refusal:
            return refusal
        return None


def at_home(settings: Settings, file: Path) -> Refused | None:
    """How this machine does."""
    with Studio(settings, judge) as studio:
        try:
            studio.render(studio.order("cutout", None, "", {}), [source_of(file, settings)])
        except Refused as refusal:
            return refusal
        return None


@contextmanager
def serving() -> Iterator[Serving]:
    networks = Serving(lambda: ModelSplit(("u2netp@1",)), opened)
    try:
        yield networks
    finally:
        networks.close()


def told(refusal: Refused | None) -> tuple[str, str, str] | None:
    return None if refusal is None else (refusal.code, refusal.field, refusal.kind)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_refused_here_as_the_pool_refuses_it(name: str, settings: Settings, tmp_path: Path) -> None:
    code, content = PICTURES[name]
    file = tmp_path / name
    if name != "missing.png":
        file.write_bytes(content())
    here, there = at_home(settings, file), in_pool(settings, file)
    assert told(here) == told(there)
    assert (here.code if here else "") == code


def test_what_the_operation_does_not_take_and_what_memory_does_not_hold_is_told_as_in_the_pool(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(photograph())
    little = settings.model_copy(update={"memory_budget_mb": admission.PROCESS_MB + 100})
    assert (
        told(at_home(little, file)) == told(in_pool(little, file)) == ("source_too_many_pixels", "sources", "permanent")
    )

    def refuses(*_: object) -> None:
        raise cutting.BadImage("not of this kind")

    monkeypatch.setattr(cutting, "cutout", refuses)
    assert told(at_home(settings, file)) == told(in_pool(settings, file)) == ("bad_image", "sources", "permanent")


def test_a_cutout_is_the_same_here_and_in_the_pool(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(photograph())
    with Studio(settings, judge) as studio:
        made = studio.render(studio.order("cutout", None, "", {}), [source_of(tmp_path / "a.png", settings)])
    blobs = Blobs(MemoryStore())
    with serving() as networks:
        pool = cutout_pool.Cutout(settings, blobs, None, networks, memory_budget(settings, 1))
        task = Task(
            task_id="0" * 64,
            tenant="t",
            sku="s",
            version=1,
            lane="bulk",
            step=Step(operation="cutout"),
            source=Source(uri=(tmp_path / "a.png").as_uri()),
        )
        _, result, _ = pool.work(task, Results(blobs), Meter(Prices()))
    assert made.file == blobs.get(result.outputs[0].digest)
    assert made.measures == result.measures


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
    worked: list[Path] = []
    render = Studio.render
    monkeypatch.setattr(Studio, "render", lambda *given: worked.append(given[2][0].name) or render(*given))
    assert outcomes(folder.render()) == {"known": 3, "source_not_an_image": 1}
    folder.put("b.png", content=photograph(product=(160, 120, 20)))
    (folder.target / "c.png").unlink()
    assert outcomes(folder.render()) == {"known": 1, "done": 2, "source_not_an_image": 1}
    assert [Path(name).name for name in sorted(map(str, worked)) if "bad" not in str(name)] == ["b.png", "c.png"]
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
    one = memory_model.cutout_bytes(len(photograph()), header(photograph()), memory_model.KEPT_PIXELS_MAX)
    mb = admission.PROCESS_MB + 4 * folder.settings.source_max_bytes // admission.MB + one * 3 // 2 // admission.MB + 1
    folder.settings = folder.settings.model_copy(update={"memory_budget_mb": mb})
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


def test_files_of_one_name_are_told_before_anything_is_made(folder: Folder) -> None:
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


def test_one_order_knows_what_pixels_depend_on(settings: Settings) -> None:
    with Studio(settings, judge) as studio:
        order = partial(studio.order, "packshot", category="")
        ids = {
            order(channel="shopify", parameters={}).result_id(["0"]),
            order(channel="shopify", parameters={"padding": "0.2"}).result_id(["0"]),
            order(channel="amazon", parameters={}).result_id(["0"]),
            order(channel="shopify", parameters={}).result_id(["1"]),
            studio.order("cutout", None, "", {}).result_id(["0"]),
        }
        assert len(ids) == 5
    with Studio(settings, judge, model="u2netp-fast@1") as other:
        ids.add(other.order("packshot", "shopify", "", {}).result_id(["0"]))
    assert len(ids) == 6


@pytest.mark.parametrize(
    ("operation", "channel", "parameters", "refusal"),
    [
        ("packshot", None, {}, "missing_channel channel"),
        ("packshot", "bazaar", {}, "unknown_channel channel"),
        ("packshot", "shopify", {"padding": "9"}, "bad_parameters padding"),
        ("cutout", None, {"nonsense": "1"}, "bad_parameters nonsense"),
        ("engrave", "shopify", {}, "unknown_operation operation"),
    ],
)
def test_an_order_that_cannot_be_is_refused_before_any_picture(
    settings: Settings, operation: str, channel: str | None, parameters: dict[str, str], refusal: str
) -> None:
    with Studio(settings, judge) as studio, pytest.raises(Refused) as caught:
        studio.order(operation, channel, "", parameters)
    assert f"{caught.value.code} {caught.value.field}" == refusal


def test_an_operation_that_takes_one_picture_is_not_given_two(settings: Settings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"source_max_bytes": 10_000_000})
    for name in ("a.png", "b.png"):
        draw_product(tmp_path / name, RED)
    sources = [source_of(tmp_path / name, settings) for name in ("a.png", "b.png")]
    with Studio(settings, judge) as studio:
        for operation, channel in (("cutout", None), ("packshot", "shopify")):
            with pytest.raises(Refused) as caught:
                studio.render(studio.order(operation, channel, "", {}), sources)
            assert (caught.value.code, caught.value.field) == ("bad_inputs", "inputs")
