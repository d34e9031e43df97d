"""The READMEs name every setting, command and role; the links, files, commands and targets that they name are there."""

import re
import statistics
from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest

from infra.settings_page import PAGE, page
from streams.commands.cli import COMMANDS, packshot
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings, variable

ROOT = Path(__file__).parents[1]
DOOR = ROOT / "README.md"
PAGES = [DOOR, *(ROOT / folder / "README.md" for folder in ("streams", "gpu_workers", "schemas", "infra", "loadtest"))]
PAGES += [PAGE, *(ROOT / "streams" / folder / "README.md" for folder in ("api", "commands", "connectors", "web"))]
PAGES += [ROOT / "infra" / "alerts" / "README.md"]
PAGES += [ROOT / "loadtest" / folder / "README.md" for folder in ("benchmarks", "chaos", "rendering")]
README = "\n".join(page.read_text() for page in PAGES)


def command(name: str) -> click.Command:
    found = packshot.get_command(click.Context(packshot), name)
    assert found is not None
    return found


def test_the_page_of_settings_is_as_the_code_has_them() -> None:
    assert PAGE.read_text() == page(), "`make settings` writes it anew"


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_says_what_it_is_for(field: Any) -> None:
    description = field.metadata["description"]
    assert description
    assert f"| `{variable(field.name)}` |" in PAGE.read_text()
    assert description in PAGE.read_text()


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"demo"}))
def test_every_command_is_in_the_readme_and_has_help(name: str) -> None:
    assert f"packshot {name}" in README
    assert command(name).get_short_help_str(200) == COMMANDS[name][1]


def test_every_role_is_in_the_readme() -> None:
    roles = command("run").params[0].type
    assert isinstance(roles, click.Choice)
    for role in roles.choices:
        assert re.search(rf"`{role}\b", README), role


def test_every_module_that_the_makefile_runs_or_imports_is_there() -> None:
    text = (ROOT / "Makefile").read_text()
    run = re.findall(r"python -m ((?:gpu_workers|streams|schemas|infra|loadtest|tests)[a-z_.]*)", text)
    imported = [f"{package}.{name}" for package, name in re.findall(r"from ([a-z_.]+) import ([a-z_]+)", text)]
    assert run
    assert imported
    assert [name for name in [*run, *imported] if find_spec(name) is None] == []


def test_every_target_that_the_readme_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets


def test_the_door_is_short() -> None:
    assert len(DOOR.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = re.findall(r"`((?:streams|gpu_workers|schemas|infra|loadtest|tests)/[\w./-]+)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


# The commands that are shown: each path of words is there, and so is each option on the command that it leads to.


def shown(text: str) -> Iterator[str]:
    """Every command of ours in code, be it a line of a block or within a sentence, without its remark."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from (line.partition(" #")[0] for line in block.splitlines() if line.startswith("packshot "))
    yield from re.findall(r"(?<!`)`(packshot [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def alternatives(line: str) -> Iterator[list[str]]:
    """`packshot a b | c` shows `a b` and `a c`."""
    first, *others = re.split(r"\s\|\s", line)
    words = first.split()[1:]
    yield words
    yield from ([words[0], *other.split()] for other in others)


def lead_to(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words lead to, and those behind it."""
    at: click.Command = packshot
    for number, word in enumerate(words):
        if not isinstance(at, click.Group):
            return at, words[number:]
        found = at.get_command(click.Context(at), word.strip("[]…,;"))
        if found is None:
            assert at is not packshot or word.startswith("-"), f"there is no command {word!r}"
            assert not word.islower() or word.startswith("-"), f"{at.name} has no command {word!r}"
            return at, words[number:]
        at = found
    return at, []


def unknown_options(line: str) -> list[str]:
    unknown = []
    for words in alternatives(line):
        command, rest = lead_to(words)
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}
        options = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(rest))
        unknown += [name for name in options if name not in known and not (command is packshot and name == "--version")]
    return unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_every_command_that_is_shown_is_there_with_its_options(page: Path) -> None:
    wrong = {line: unknown for line in shown(page.read_text()) if (unknown := unknown_options(line))}
    assert wrong == {}


def test_a_command_that_is_not_there_is_found() -> None:
    assert unknown_options("packshot status SKU --colour") == ["--colour"]
    assert unknown_options("packshot recipes check FILE… | list | show NAME --jsn") == ["--jsn"]
    with pytest.raises(AssertionError, match="no command 'stauts'"):
        unknown_options("packshot stauts SKU")
    with pytest.raises(AssertionError, match="has no command 'lst'"):
        unknown_options("packshot review lst")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_every_module_that_is_run_is_there(page: Path) -> None:
    assert [name for name in re.findall(r"python -m ([\w.]+)", page.read_text()) if find_spec(name) is None] == []


def door_figures() -> list[tuple[str, str]]:
    """The figures of the README's table, each with its benchmark's target."""
    table = DOOR.read_text().partition("## Ten numbers")[2].partition("## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.endswith("` |")]
    return [(figure, target[1:-1].split()[1]) for _, figure, target in rows]


@pytest.mark.parametrize(("figure", "target"), door_figures())
def test_the_doors_figures_are_those_that_were_measured(figure: str, target: str) -> None:
    lines = (ROOT / "loadtest" / "README.md").read_text().splitlines()
    measured = "\n".join(line for line in lines if f"make {target}`" in line or f"loadtest.{target} " in line)
    if target == "simulate":
        measured = "\n".join(line for line in lines if "tests.simulation" in line)
    numbers = set(re.findall(r"[0-9][0-9.,]*[0-9]|[0-9]", figure))
    assert numbers <= set(re.findall(r"[0-9][0-9.,]*[0-9]|[0-9]", measured)), measured


def test_the_doors_sentences_are_short() -> None:
    text = re.sub(r"^```.*?^```", "", DOOR.read_text(), flags=re.MULTILINE | re.DOTALL)
    prose = "\n".join(line for line in text.splitlines() if not line.startswith(("#", "|", "![")))
    sentences = [each for each in re.split(r"(?<=[.!?])\s+", prose) if each.strip()]
    assert statistics.median(len(each.split()) for each in sentences) <= 16


def test_every_exit_status_has_one_meaning_and_stands_in_the_readme() -> None:
    for status in Exit:
        assert f"| {status.value} | {status.meaning} |" in README
    assert len({status.meaning for status in Exit}) == len(Exit)


def test_exit_statuses_have_names() -> None:
    """A number of its own in a command would be a second meaning."""
    numbers = [
        f"{file.relative_to(ROOT)}: {found}"
        for file in (ROOT / "streams").rglob("*.py")
        for found in re.findall(r"(?:sys\.exit|os\._exit|SystemExit)\((?:.*\b)?\d+\b.*\)", file.read_text())
    ]
    assert numbers == []
