"""The folder of channels' rules of one's own: what its files say, and which of them count for nobody yet."""

from collections.abc import Iterator
from pathlib import Path

from schemas import channels
from schemas.channels import Channel
from schemas.channels.rulebook import BadChannel, Rulebook, parse
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings


def read_file(file: Path) -> tuple[str, Channel]:
    """A file of rules, and what it says. Raises Refused, which names the field."""
    try:
        text = file.read_text()
        return text, parse(text)
    except (BadChannel, OSError, UnicodeDecodeError) as error:
        raise Refused(BadChannel.code, f"{file}: {error}", field="FILE") from error


def unreleased(settings: Settings, rules: Rulebook) -> Iterator[tuple[Path, Channel]]:
    """The files that do not count by `rules`, and what they say. Raises Refused for one that holds no rules."""
    if settings.channels is None:
        return
    if not settings.channels.is_dir():
        raise Refused("no_folder", f"PACKSHOT_CHANNELS: there is no folder {settings.channels}", field="FILE")
    for file in sorted(settings.channels.glob("*.yaml")):
        text, made = read_file(file)
        if not _counts(text, made, rules):
            yield file, made


def _counts(text: str, made: Channel, rules: Rulebook) -> bool:
    if made.name in rules.released:
        return rules.released[made.name] == text
    return made.name in channels.names() and made == channels.load(made.name)
