"""`packshot render`: files, folders, patterns and pipes; what the screen, the report and the exit status say."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from gpu_workers.local.files import REPORT
from gpu_workers.local.studio import Output
from schemas.operations import OPERATIONS
from streams.commands import cli
from streams.runtime.settings import Settings
from streams.services.ordering.local_render import Wanted, is_folder, render_one
from tests.e2e.system import draw_product

SMALL = ["--channel", "shopify", "--set", "outputSize=900x900"]
pytestmark = pytest.mark.usefixtures("reads_nothing")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two pictures in `in`, where commands work."""
    monkeypatch.setenv("PACKSHOT_DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name, colour in (("jar", (170, 40, 60)), ("tin", (40, 90, 170))):
        draw_product(tmp_path / "in" / f"{name}.png", colour)
    return tmp_path


def status(monkeypatch: pytest.MonkeyPatch, *arguments: str, stdin: bytes = b"") -> int:
    """The exit status of `packshot render` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["packshot", "render", *arguments])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    ended = 0
    try:
        cli.main()
    except SystemExit as exit_:
        ended = int(exit_.code or 0)
    return ended


def test_one_picture_becomes_one_file(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(monkeypatch, "packshot", "in/jar.png", "new/deep/out.jpg", *SMALL, "--json") == 0
    with Image.open(here / "new/deep/out.jpg") as picture:
        assert picture.size == (900, 900)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["file"], shown["verdict"]["outcome"], shown["measures"]["width_px"]) == (
        "new/deep/out.jpg",
        "pass",
        900,
    )


def test_a_bad_picture_ends_with_1_and_what_is_wrong_with_the_order_with_2(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "bad.jpg").write_bytes(b"a text")
    assert status(monkeypatch, "cutout", "bad.jpg", "out.png") == 1
    assert capsys.readouterr().err.startswith("source_not_an_image: bad.jpg: ")
    assert status(monkeypatch, "cutout", "missing.jpg", "out.png") == 1
    assert "missing.jpg: there is no such file" in capsys.readouterr().err
    for wrong in (
        ["packshot", "in/jar.png", "out.jpg"],
        ["packshot", "in/jar.png", "out.jpg", "--channel", "bazaar"],
        ["cutout", "in", "out", "--set", "nonsense=1"],
        ["cutout", "in/jar.png", "in/jar.png/out.png"],
        ["cutout", "*.tif", "out/"],
        ["cutout", "in", "in"],
        ["cutout", "-", "out/"],
        ["cutout", "in/jar.png", "-", "--json"],
    ):
        assert status(monkeypatch, *wrong) == 2, wrong
    assert not (here / "out").exists()
    assert not (here / "out.png").exists()


def test_a_folder_is_made_with_a_report_and_a_summary_and_goes_on_where_it_ended(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "in" / "broken.jpg").write_bytes(b"\xff\xd8 and no more")
    (here / "in" / "notes.txt").write_bytes(b"a text")
    assert status(monkeypatch, "packshot", "in", "out", *SMALL) == 1
    shown = capsys.readouterr()
    assert "source_corrupt: in/broken.jpg" in shown.err or "source_truncated: in/broken.jpg" in shown.err
    assert "s a picture; each is in out/packshot-report.jsonl" in shown.out
    assert sorted(path.name for path in (here / "out").iterdir()) == ["jar.jpg", REPORT, "tin.jpg"]
    lines = {line["source"]: line for line in map(json.loads, (here / "out" / REPORT).read_text().splitlines())}
    assert {name: line["outcome"] for name, line in lines.items()} == {
        "in/broken.jpg": "refused",
        "in/jar.png": "done",
        "in/tin.png": "done",
    }
    assert lines["in/jar.png"]["verdict"]["outcome"] == "pass"
    (here / "in" / "broken.jpg").unlink()
    stamps = {path: path.stat().st_mtime_ns for path in (here / "out").glob("*.jpg")}
    assert status(monkeypatch, "packshot", "in", "out", *SMALL, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["done"], summary["known"], summary["left_out"], summary["mean_s"]) == (2, 2, 1, None)
    assert {path: path.stat().st_mtime_ns for path in (here / "out").glob("*.jpg")} == stamps


def test_what_the_gates_would_not_let_pass_is_made_and_counted_by_its_checks(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--channel", "amazon", "--set", "padding=0.3", "--json"]  # amazon wants more of the canvas filled
    assert status(monkeypatch, "packshot", "in/*.png", "out", *few) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["done"], summary["waiting"], summary["refused"]) == (0, 2, {})
    assert summary["waits"]["fill"] == 2
    assert len(list((here / "out").glob("*.jpg"))) == 2


def test_pipes_carry_one_picture(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    picture = (here / "in/jar.png").read_bytes()
    assert status(monkeypatch, "packshot", "-", "piped.jpg", *SMALL, stdin=picture) == 0
    assert status(monkeypatch, "packshot", "in/jar.png", "file.jpg", *SMALL) == 0
    assert (here / "piped.jpg").read_bytes() == (here / "file.jpg").read_bytes()
    assert status(monkeypatch, "cutout", "-", "out.png", stdin=b"no picture") == 1
    assert b"source_not_an_image: standard input: " in capfdbinary.readouterr().err


def test_a_pipe_out_holds_the_picture_and_nothing_else(here: Path) -> None:
    packshot = str(Path(sys.executable).with_name("packshot"))
    with open(here / "in/jar.png", "rb") as picture:
        done = subprocess.run(
            [packshot, "render", "packshot", "-", "-", *SMALL], stdin=picture, capture_output=True, check=True
        )
    with Image.open(io.BytesIO(done.stdout)) as made:
        assert made.size == (900, 900)
    assert done.stderr == b""


def test_several_pictures_become_one_where_an_operation_takes_them(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heights = ["--set", "height_cm=20", "--set", "others.height_cm=15", "--set", "scene=shelf-neighbours"]
    assert status(monkeypatch, "mockup", "in/jar.png", "in/tin.png", "both.jpg", "--channel", "shopify", *heights) == 0
    assert (here / "both.jpg").stat().st_size > 0


@pytest.mark.parametrize(
    ("sources", "target", "folder"),
    [
        (["in/jar.png"], "out.png", False),
        (["in/jar.png"], "out", False),
        (["in/jar.png"], "out/", True),
        (["in/jar.png"], "in", True),
        (["in"], "out", True),
        (["in/*.png"], "out", True),
        (["in/jar.png", "in/tin.png"], "out", True),
        (["in/jar.png", "in/tin.png"], "out.jpg", False),
        (["-"], "-", False),
    ],
)
def test_where_out_is_a_folder_each_picture_becomes_a_file(
    here: Path, sources: list[str], target: str, folder: bool
) -> None:
    assert here.is_dir()
    assert is_folder(sources, target) is folder


@pytest.mark.usefixtures("here")
def test_what_makes_the_picture_is_all_that_is_loaded() -> None:
    """A cutout needs no operation that composes."""
    code = (
        "import sys; from streams.commands import cli; sys.argv[1:] = {}; cli.main();"
        "print(*sorted(name for name in sys.modules if name.startswith('gpu_workers.operations.')))"
    )
    arguments = ["render", "cutout", "in/jar.png", "out.png"]
    done = subprocess.run([sys.executable, "-c", code.format(arguments)], capture_output=True, check=True, text=True)
    loaded = done.stdout.splitlines()[-1]
    for operation in sorted(OPERATIONS.keys() - {"cutout", "packshot", "source", "transparent"}):
        assert f"gpu_workers.operations.{operation}" not in loaded, loaded


def test_a_picture_that_is_made_says_what_was_measured(here: Path) -> None:
    made = render_one(
        Settings(), Wanted("packshot", "shopify", parameters={"outputSize": "900x900"}), [here / "in/jar.png"]
    )
    assert isinstance(made, Output)
    assert made.verdict is not None
    assert made.verdict.outcome == "pass"
    assert made.measures["width_px"] == 900
