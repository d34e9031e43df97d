"""What a person sees: text from outside is shown as text, by every command, and steers nobody's terminal."""

import ast
import inspect
import io
import json
import os
import re
import socket
import subprocess
import sys
import typing
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import click
import pytest
import structlog
from rich.text import Text

from gpu_workers.local.studio import Made
from infra.servers.process import free_port
from schemas.records import AssetPublished, AssetRetracted, CatalogChanged, Event, ProductPublished, Source, Verdict
from schemas.text import UNFIT
from streams.commands import cli, tables
from streams.commands.tables.submit import show_published, show_submission
from streams.facts import Asset
from streams.runtime import screen
from streams.runtime.errors import Refused
from streams.runtime.observability import set_up
from streams.runtime.screen import fit
from streams.runtime.settings import Settings
from streams.runtime.supervisor import AlreadyRunning, only_one
from streams.services.assessing.assess import Assessment, Row
from streams.services.display.contact_sheet import ContactCell, ContactEntry, contact_sheet_html, contact_sheet_png
from streams.services.operating import local
from streams.services.releases.preview_page import Entry, Shown, page
from streams.services.submitting.event_files import BadLine
from streams.services.submitting.fates import Fate, SentEvent
from streams.services.submitting.submission import Submitted
from tests.streams.planted import planted

ROOT = Path(__file__).parents[2]
# CSI, OSC 8 (a link), C1's CSI, bidi override and isolate, NUL, backspace, lines, a tag, markup, an emoji's code
HOSTILE = (
    "a\x1b[31m\x1b]8;;http://evil.example\x07b\x9b2J\u202ec\u2066\x00\x08\r\nd\u2028\U000e0041[red]bold[/][/]:smile:"
)
TABLES = [import_module(f"{tables.__name__}.{each.name}") for each in iter_modules(tables.__path__)]
SHOWS = {name: module for module in TABLES for name in vars(module) if name.startswith("show_")}
WITH_JSON = {name for name, module in SHOWS.items() if "as_json" in inspect.signature(getattr(module, name)).parameters}
EVENTS = (AssetPublished, ProductPublished, AssetRetracted)


def arguments(name: str, **given: Any) -> dict[str, Any]:
    """What the function of that name takes, planted."""
    module = SHOWS[name]
    hints = typing.get_type_hints(getattr(module, name), vars(module) | late(module))
    known = {
        Sequence[Entry]: [entry()],
        Sequence[SentEvent]: [planted(Submitted, HOSTILE)],
        Assessment: replace(planted(Assessment, HOSTILE), rows=[Row(HOSTILE, "fill", 1, 0.5)]),
        Sequence[Fate]: [Fate("waiting", [planted(Asset, HOSTILE)], HOSTILE)],
    }
    own = {
        key: known.get(kind) or planted(EVENTS[0] if kind is Event else kind, HOSTILE)
        for key, kind in hints.items()
        if key not in ("return", *given)
    }
    return own | given


def late(module: ModuleType) -> dict[str, Any]:
    """What a module knows by a name while types are checked."""
    (block,) = (node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {
        each.asname or each.name: getattr(import_module(node.module or ""), each.name, None)
        or import_module(f"{node.module}.{each.name}")
        for node in imports
        for each in node.names
    }


def entry() -> Entry:
    verdict = planted(Verdict, HOSTILE)
    made = Made(b"", HOSTILE, {"width_px": 1.0, "height_px": 1.0, "size_bytes": 1.0}, verdict, [])
    shown = [Shown(HOSTILE, made, HOSTILE, {HOSTILE: (HOSTILE, True)}), Shown(HOSTILE, None, why=HOSTILE)]
    return Entry(planted(CatalogChanged, HOSTILE), planted(Source, HOSTILE), Refused(HOSTILE, HOSTILE), shown)


def check_clean(shown: str) -> None:
    """Nothing in it steers a terminal; JSON and tables are what has several lines."""
    assert shown
    assert re.findall(f"(?!\n)[{UNFIT}]", shown) == []


@pytest.mark.parametrize("name", sorted(SHOWS))
def test_what_others_wrote_is_shown_as_text(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    getattr(SHOWS[name], name)(**arguments(name, **({"as_json": False} if name in WITH_JSON else {})))
    shown = "".join(capsys.readouterr())
    check_clean(shown)
    if "a\\x1b[31m" in shown:
        assert fit(HOSTILE).rpartition("/evil")[2] in shown  # whole: no markup, no emoji, never broken


@pytest.mark.parametrize("name", sorted(WITH_JSON))
def test_json_holds_it_as_it_is_and_steers_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    getattr(SHOWS[name], name)(**arguments(name, as_json=True))
    shown = capsys.readouterr().out
    check_clean(shown)
    view = json.loads(shown)
    assert "\\u001b" not in shown or HOSTILE in _texts(view)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("kind", EVENTS)
def test_every_published_event_is_shown_as_text(kind: Any, capsys: pytest.CaptureFixture[str]) -> None:
    show_published(planted(kind, HOSTILE), as_json=False)
    shown = capsys.readouterr().out
    check_clean(shown)
    assert fit(HOSTILE) in shown
    assert shown.count("\n") == 1


def test_only_the_screen_writes_on_the_screen() -> None:
    for file in sorted((ROOT / "streams").rglob("*.py")):
        if file.name == "screen.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "click.secho", "console.print", "sys.stdout.write", "Text", "Console"), file
            assert called != "click.echo" or "get_usage" in ast.unparse(node), file


def commands(group: click.Group = cli.packshot, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


# Those that run until they are stopped, and those that write a report where --report says.
WITHOUT_JSON = {("up",), ("run",), ("demo",), ("models", "distill"), ("models", "quantize")}


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids="-".join)
def test_every_command_speaks_json(path: tuple[str, ...]) -> None:
    names = {name for parameter in dict(commands())[path].params for name in parameter.opts}
    assert ("--json" in names) is not (path in WITHOUT_JSON)


def test_brokers_that_are_not_there_are_reported_in_one_line(tmp_path: Path) -> None:
    around = os.environ | {
        "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PACKSHOT_DATA_FOLDER": str(tmp_path),
        "PACKSHOT_CDN_PORT": str(free_port()),
        "PACKSHOT_GATEWAY_PORT": str(free_port()),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "streams.commands.cli", *command],
            env=around,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in (["published"], ["dead", "list"], ["replay", "--sku", "A"], ["up"])
    ]
    for process in started:
        shown, stderr = process.communicate()
        assert (process.returncode, shown) == (2, "")
        assert stderr.startswith("packshot: the brokers at 127.0.0.1:1")
        assert stderr.count("\n") == 1, stderr


@pytest.mark.skipif(os.getuid() == 0 and not os.path.exists("/dev/full"), reason="nothing here is full")
def test_a_folder_that_cannot_be_written_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("/proc/packshot", "/dev/full"):
        monkeypatch.setenv("PACKSHOT_DATA_FOLDER", folder)
        monkeypatch.setattr(sys, "argv", ["packshot", "up"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert ended.value.code == 2
        assert printed.err.startswith(f"packshot: {folder}")
        assert printed.err.count("\n") == 1


@pytest.mark.parametrize("number", sorted(cli.UNWRITABLE))
def test_a_place_that_takes_no_file_is_reported_with_the_setting_that_names_another(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cli.packshot, "invoke", refuse)
    monkeypatch.setattr(sys, "argv", ["packshot", "up"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    stderr = capsys.readouterr().err
    assert ended.value.code == 2
    assert os.strerror(number) in stderr
    assert "PACKSHOT_DATA_FOLDER" in stderr
    assert stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "meant"), [("submti", "'submit'"), ("reviews", "'review'"), ("xyzzy", None)])
def test_a_command_that_is_none_is_reported_with_the_one_that_is_meant(
    name: str, meant: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["packshot", name])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    stderr = capsys.readouterr().err
    assert ended.value.code == 2
    assert f"No such command '{name}'" in stderr
    assert ("Did you mean" in stderr) == (meant is not None)
    assert meant is None or meant in stderr


@pytest.mark.parametrize("content", ["", "\n\n", "tenant,sku,version,sources,channels\n", "[]"], ids=repr)
def test_a_file_without_events_is_reported_in_a_line_and_takes_no_broker(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "events"
    file.write_text(content)
    monkeypatch.setattr(sys, "argv", ["packshot", "submit", str(file)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "no event in it" in "".join(capsys.readouterr())


@pytest.mark.parametrize("python", ["/nowhere/python3", "OLD"])
def test_a_python_that_is_none_of_ours_is_reported_in_a_line(python: str, tmp_path: Path) -> None:
    (tmp_path / "infra" / "locks").mkdir(parents=True)
    for name in ("Makefile", "infra/locks/requirements-setup.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    named = str(old) if python == "OLD" else python
    made = subprocess.run(
        ["make", f"PYTHON={named}", ".venv/bin/uv"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert made.returncode == 2
    assert made.stderr.startswith(f"packshot: {named} is no Python 3.11, 3.12 or 3.13; name one: make PYTHON=")
    assert "No such file" not in made.stderr


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids="-".join)
def test_errors_show_what_was_typed_as_text(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = HOSTILE.replace("\0", "")  # no argument of a process holds one
    monkeypatch.setattr(sys, "argv", ["packshot", *path, f"--{typed}"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    stderr = capsys.readouterr().err
    check_clean(stderr)
    assert fit(typed) in stderr

    def refuse(*_: object, **__: object) -> None:
        raise Refused("bad", HOSTILE)

    monkeypatch.setattr(cli.packshot, "invoke", refuse)
    with pytest.raises(SystemExit):
        cli.main()
    stderr = capsys.readouterr().err
    check_clean(stderr)
    assert stderr.startswith("packshot: a\\x1b[31m\\x1b]8;;http")


@pytest.mark.parametrize("form", ["json", "console"])
def test_log_lines_show_it_as_text(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    set_up(Settings(log_format=form), "test")
    log = structlog.get_logger()
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception(HOSTILE, key=HOSTILE, many=[HOSTILE], **{HOSTILE: 1})
    check_clean(written.getvalue())
    found = [line for line in written.getvalue().splitlines() if not line.startswith("    ")]
    assert len(found) == 1, found  # no text can look like a line of its own


def test_pages_show_it_as_text() -> None:
    cell = ContactCell(HOSTILE, "review", HOSTILE, None)
    entries = [ContactEntry(HOSTILE, HOSTILE, None, [cell])]
    for made in (contact_sheet_html(entries), page(HOSTILE, [entry()])):
        check_clean(made)
        assert escape(fit(HOSTILE)) in made
    assert contact_sheet_png(entries)


def test_tables_never_break_a_word(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    url, digest = "https://shop.example/" + "a" * 200, "0123456789abcdef" * 4
    for is_terminal in (False, True):
        console = screen.Screen()
        console._force_terminal = is_terminal
        shown = screen.table("id", "address", "why")
        shown.add_row(digest, Text(url), "a sentence that is longer than the narrow terminal of forty columns")
        console.show(shown)
        stdout = capsys.readouterr().out
        assert digest in stdout
        assert url in stdout
        assert ("terminal of forty columns" in stdout) is not is_terminal


def test_half_a_character_is_reported_as_its_escape(capsys: pytest.CaptureFixture[str]) -> None:
    bad = [BadLine(1, "\udcff", "there is no such field")]
    show_submission([], [], bad, as_json=True)
    assert json.loads(capsys.readouterr().out)["bad_lines"][0]["field"] == "\udcff"
    screen.print_json_line(["\ud83d"])
    assert capsys.readouterr().out == '["\\ud83d"]\n'


def test_a_second_up_says_that_it_is_up_though_its_port_is_taken_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, only_one(tmp_path):
        settings = Settings(data_folder=tmp_path, cdn_port=taken.getsockname()[1])
        with pytest.raises(AlreadyRunning), local.running_system(settings, print, print):
            pass
