"""The folder of rules about texts of one's own: what its files say, and which of them count for nobody yet."""

from collections.abc import Iterator
from pathlib import Path

from schemas import policies
from schemas.policies import BadPolicy, Policy, RuleFile
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings


def read_file(file: Path) -> tuple[str, RuleFile]:
    """A file of rules, and what it says. Raises Refused, which names the field."""
    try:
        text = file.read_text()
        return text, policies.read(text)
    except (BadPolicy, OSError, UnicodeDecodeError) as error:
        raise Refused(BadPolicy.code, f"{file}: {error}", field="FILE") from error


def unreleased(settings: Settings, policy: Policy) -> Iterator[tuple[Path, RuleFile]]:
    """The files that do not count in `policy`, and what they say. Raises Refused for one that holds no rules."""
    if settings.policies is None:
        return
    if not settings.policies.is_dir():
        raise Refused("no_folder", f"PACKSHOT_POLICIES: there is no folder {settings.policies}", field="FILE")
    for file in sorted(settings.policies.glob("*.yaml")):
        _, made = read_file(file)
        if made not in policy.files:
            yield file, made
