"""The page of all settings, infra/settings.md, made from the typed settings: `make settings` writes it anew."""

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from streams.runtime.settings import Settings, variable

PAGE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

Environment variables, the same for every role; `packshot settings` shows them, too. Made by `make settings` from
`streams/runtime/settings.py`: change them there.

| variable | default | what it is for |
|---|---|---|
"""


def page() -> str:
    """The page as it is to be."""
    return HEAD + "".join(f"{_row(each)}\n" for each in fields(Settings))


def _row(field: Any) -> str:
    made = field.default_factory is not MISSING  # it depends on the machine, and its description says how
    default = "" if made or field.default is None else _text(field.default)
    shown = f"`{default}`" if default else ""
    return f"| `{variable(field.name)}` | {shown} | {field.metadata['description'].replace('|', chr(92) + '|')} |"


def _text(default: Any) -> str:
    return (
        ",".join(default)
        if isinstance(default, tuple)
        else f"{default:g}"
        if isinstance(default, float)
        else f"{default}"
    )


if __name__ == "__main__":
    PAGE.write_text(page())
