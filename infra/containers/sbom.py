"""What an image has in it: Debian's packages and Python's, as a CycloneDX bill of materials.

    .venv-infra/bin/python -m infra.containers.sbom ROOT FILE

ROOT is the image's files, as `make image` has them; it reads what dpkg and pip noted there, and runs nothing of it.
"""

import sys
from collections.abc import Iterator, Sequence
from email.parser import HeaderParser
from importlib.metadata import distributions
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

OURS = "packshot"
PACKAGES = "opt/packshot/venv/lib/python*/site-packages"
INSTALLED = "install ok installed"


class NotAnImage(Exception):
    """A folder that lacks what is looked for in it; the message names that."""


def bill(root: Path) -> str:
    """The bill of materials of the image in `root`, as JSON. Raises NotAnImage."""
    python, debian = list(_python(root)), list(_debian(root))
    ours = next((each for each in python if each.name == OURS), None)
    if ours is None:
        raise NotAnImage(f"{root}: no {OURS} in {PACKAGES}")
    bom = Bom(components=[each for each in (*python, *debian) if each is not ours])
    bom.metadata.component = ours
    made: str = JsonV1Dot6(bom).output_as_string(indent=1)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(made)
    if wrong is not None:
        raise NotAnImage(f"{root}: {wrong}")
    return made


def _python(root: Path) -> Iterator[Component]:
    for folder in sorted(root.glob(PACKAGES)):
        for each in distributions(path=[str(folder)]):
            name, version = each.metadata["Name"], each.version
            yield _component(PackageURL("pypi", None, name.lower().replace("_", "-"), version), name)


def _debian(root: Path) -> Iterator[Component]:
    status = root / "var/lib/dpkg/status"
    if not status.exists():
        raise NotAnImage(f"{root}: no {status.relative_to(root)}")
    for stanza in status.read_text().split("\n\n"):
        told = HeaderParser().parsestr(stanza)
        if told["Status"] == INSTALLED:
            where = {"arch": told["Architecture"]}
            yield _component(PackageURL("deb", "debian", told["Package"], told["Version"], where), told["Package"])


def _component(url: PackageURL, name: str) -> Component:
    kind = ComponentType.APPLICATION if name == OURS else ComponentType.LIBRARY
    return Component(name=name, version=url.version, type=kind, purl=url, bom_ref=str(url))


def main(arguments: Sequence[str]) -> int:
    """Writes it; 2 says what is wrong."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        made = bill(Path(arguments[0]))
    except NotAnImage as wrong:
        print(f"sbom: {wrong}", file=sys.stderr)
        return 2
    Path(arguments[1]).write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
