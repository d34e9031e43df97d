"""The READMEs name every setting, command and role; the links, files and make's targets that they name are there."""

import re
from pathlib import Path

import click
import pytest

from streams.commands.cli import COMMANDS, packshot
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings, variable

ROOT = Path(__file__).parents[1]
DOOR = ROOT / "README.md"
PAGES = [DOOR, *(ROOT / folder / "README.md" for folder in ("streams", "gpu_workers", "schemas", "infra", "loadtest"))]
README = "\n".join(page.read_text() for page in PAGES)


def command(name: str) -> click.Command:
    found = packshot.get_command(click.Context(packshot), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme_as_it_is_described_in_the_code(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    row = next((line for line in README.splitlines() if f"`{variable(name)}`" in line), "")
    assert description in row


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"demo"}))
def test_every_command_is_in_the_readme_and_has_help(name: str) -> None:
    assert f"packshot {name}" in README
    assert command(name).get_short_help_str(200) == COMMANDS[name][1]


def test_every_role_is_in_the_readme() -> None:
    roles = command("run").params[0].type
    assert isinstance(roles, click.Choice)
    for role in roles.choices:
        assert re.search(rf"`{role}\b", README), role


def test_every_target_that_the_readme_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets


def test_the_door_is_short() -> None:
    assert len(DOOR.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = re.findall(r"`((?:streams|gpu_workers|schemas|infra|loadtest|tests)/[\w./-]+)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


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
