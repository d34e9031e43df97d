"""The brands of an installation: which there are, what each looks like, and how one is learned from pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gpu_workers.library import brands
from gpu_workers.library.brands import BadBrand, BrandProfile
from gpu_workers.models.manifest import ModelError
from gpu_workers.operations.style.brand_learning import BadExample, TooFewExamples, learn_from_files
from gpu_workers.pools import compose as compose_pool
from schemas.records import Name
from streams.runtime.errors import Refused
from streams.runtime.observability import set_up_command
from streams.runtime.settings import Settings, variable
from streams.services.local_render import open_studio

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Row:
    """A brand's file; `brand` is None where it is not well formed, and `wrong` says why."""

    name: str
    file: Path
    brand: BrandProfile | None
    wrong: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """What makes a packshot one of this brand's."""
        return {} if self.brand is None else brands.defaults(self.brand)

    @property
    def ships(self) -> bool:
        """Whether it is one of ours."""
        return self.file.parent == brands.shipped_folder()


def overview(settings: Settings) -> list[Row]:
    """Every brand by name."""
    return [_row(name, file) for name, file in sorted(compose_pool.library(settings).brands.items())]


def show(settings: Settings, name: str) -> Row:
    """The brand called `name`. Raises Refused."""
    known = compose_pool.library(settings).brands
    if name not in known:
        names = ", ".join(sorted(known))
        raise Refused("unknown_brand", f"no brand is called {name!r}; there are: {names}", field="NAME")
    row = _row(name, known[name])
    if row.brand is None:
        raise Refused(BadBrand.code, row.wrong, field="NAME")
    return row


def learn(settings: Settings, name: str, pictures: Sequence[Path], into: Path | None, progress: Progress) -> Row:
    """Learns a brand from picture files and writes it into a folder, by default the installation's. Raises Refused."""
    folder = into or settings.brands
    if folder is None:
        raise Refused("missing_folder", f"where shall it lie? Say --into, or set {variable('brands')}", field="into")
    target = folder / f"{_name(name)}.yaml"
    if target.exists():
        raise Refused("brand_exists", f"{target} is there already, and may hold corrections by hand", field="NAME")
    set_up_command(settings)
    try:
        with open_studio(settings) as studio:
            brand = learn_from_files(name, pictures, studio.predict, progress)
    except (TooFewExamples, BadExample) as error:
        raise Refused.because(error) from error
    except ModelError as error:
        raise Refused("bad_model", str(error), field="model") from error
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(brands.dump(brand))
    return Row(name, target, brand)


def _name(name: str) -> str:
    try:
        return msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise Refused("bad_name", f"{name!r}: {error}", field="NAME") from error


def _row(name: str, file: Path) -> Row:
    try:
        return Row(name, file, brands.load(file))
    except BadBrand as error:
        return Row(name, file, None, str(error))
