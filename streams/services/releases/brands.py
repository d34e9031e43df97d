"""The brands of an installation: which there are, what each looks like, and how one is learned from pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from gpu_workers.library import brands
from gpu_workers.library.brands import BadBrand, BrandProfile
from gpu_workers.models.manifest import ModelError
from gpu_workers.operations.style.brand_learning import BadExample, TooFewExamples, learn_from_files
from gpu_workers.pools import compose as compose_pool
from schemas.decoding import prepare
from schemas.records import Name
from streams.runtime.errors import Refused
from streams.runtime.observability import set_up_command
from streams.runtime.settings import Settings, variable
from streams.services.ordering.local_render import open_studio
from streams.services.reports.views import View

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


class PaletteColour(View, frozen=True, kw_only=True):
    """A colour of a brand's palette, and its share of its pictures, 0..1."""

    color: str
    share: float


class BrandView(View, frozen=True, kw_only=True):
    """A brand's file; what it looks like, and the parameters of a packshot that is one of its own, unless `wrong`."""

    name: str
    file: str
    ships: bool
    wrong: str
    pictures: int | UnsetType = UNSET
    palette: Sequence[PaletteColour] | UnsetType = UNSET
    background: str | UnsetType | None = UNSET
    shadow: str | UnsetType | None = UNSET
    fill: float | UnsetType | None = UNSET
    lut: str | UnsetType | None = UNSET
    parameters: Mapping[str, str] | UnsetType = UNSET


def brand_view(row: Row) -> BrandView:
    """A brand as it is told."""
    view = BrandView(name=row.name, file=str(row.file), ships=row.ships, wrong=row.wrong)
    if (brand := row.brand) is None:
        return view
    return replace(
        view,
        pictures=brand.learned_from.count,
        palette=[PaletteColour(color=each.color, share=each.share) for each in brand.palette],
        background=brand.background,
        shadow=None if brand.shadow is None else brand.shadow.mode,
        fill=brand.fill,
        lut=brand.lut,
        parameters=row.parameters,
    )


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


prepare(PaletteColour, BrandView)
