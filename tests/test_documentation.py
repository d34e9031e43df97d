"""The README names every setting, command and role; the Makefile's targets that it names are there."""

import re
from pathlib import Path

import click
import pytest

from streams.commands.cli import packshot
from streams.runtime.settings import Settings, variable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme_as_it_is_described_in_the_code(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    row = next((line for line in README.splitlines() if f"`{variable(name)}`" in line), "")
    assert description in row


@pytest.mark.parametrize("name", sorted(set(packshot.commands) - {"demo"}))
def test_every_command_is_in_the_readme_and_has_help(name: str) -> None:
    assert f"packshot {name}" in README
    assert packshot.commands[name].help


def test_every_role_is_in_the_readme() -> None:
    roles = packshot.commands["run"].params[0].type
    assert isinstance(roles, click.Choice)
    for role in roles.choices:
        assert re.search(rf"`{role}\b", README), role


def test_every_target_that_the_readme_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets
