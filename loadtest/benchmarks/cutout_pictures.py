"""Pictures to judge a cutout by: each with its exact alpha and, where it was put together here, its product's colours.

| category | what it is |
|---|---|
| `studio`, `busy` | the rendered photographs of the sample catalogue |
| `plain` | a product of those, or one drawn here, on a sweep of paper with its shadow |
| `texture` | on cloth, wood, stripes or clouds |
| `setting` | in another product's photograph |
| `alike` | on a ground of its own colour: white on white, dark on dark |
| `cut off` | where the frame cuts it |
| `several` | two products side by side |

Products are laid on their grounds in linear light, as a camera's lens does it, and get a camera's noise.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.distillation import training_pictures
from gpu_workers.distillation.training_pictures import Photograph
from gpu_workers.imaging.linear_light import to_linear, to_srgb
from gpu_workers.sources.decoding import decode
from loadtest.benchmarks import quality

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]
Random = np.random.Generator

_SIDE_PX = 1000
_NOISE = 1.2
_FINE = 4


@dataclass(frozen=True, eq=False)
class Product:
    """A product alone: its name, alpha (h, w) in 0..1 and colours (h, w, 3) uint8."""

    name: str
    alpha: Plane
    colours: Picture


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture uint8 RGB (h, w, 3), the true alpha (h, w) in 0..1, and the true colours where they are known."""

    name: str
    category: str
    product: str
    rgb: Picture
    alpha: Plane
    colours: Picture | None


def photographs() -> Iterator[Sample]:
    """The catalogue's own."""
    for file in quality.PHOTOGRAPHS:
        product, category = file.stem.rsplit("-", 1)
        rgb = np.asarray(decode(file.read_bytes()).pixels, np.uint8)
        yield Sample(file.stem, category, product, rgb, quality.truth(file.stem).astype(np.float32), None)


def composites(seed: int) -> Iterator[Sample]:
    """Every product on a ground of every kind; another seed gives other grounds and places."""
    taken = training_pictures.load_photographs(quality.CATALOGUE, long_side_px=_SIDE_PX)
    products = [*_catalogued(taken), *drawn()]
    for number, product in enumerate(products):
        for kind, (category, make) in enumerate(_KINDS.items()):
            random = np.random.default_rng((seed, number, kind))
            rgb, alpha, colours = make(random, product, products, taken)
            name = f"{product.name} {category} {seed}"
            yield Sample(name, category, product.name, _as_a_camera_sees(random, rgb), alpha, colours)


def drawn() -> list[Product]:
    """What the catalogue lacks: fur, fringe, a net, a wheel with spokes."""
    return [_fur(), _fringe(), _net(), _wheel()]


def _catalogued(taken: list[Photograph]) -> Iterator[Product]:
    for each in taken:
        if each.name.endswith("-studio"):
            yield Product(each.name.removesuffix("-studio"), each.alpha, each.colours)


Made = tuple[Picture, Plane, Picture]
Make = Callable[[Random, Product, list[Product], list[Photograph]], Made]


def _over(ground: Picture, product: Product) -> Made:
    alpha = product.alpha[..., None]
    light = to_linear(product.colours) * alpha + to_linear(ground) * (1 - alpha)
    return to_srgb(light.astype(np.float32)), product.alpha, product.colours


def _plain(random: Random, product: Product, _: list[Product], __: list[Photograph]) -> Made:
    return _over(_shaded(random, _sweep(random, product.alpha.shape), product.alpha), product)


def _texture(random: Random, product: Product, _: list[Product], __: list[Photograph]) -> Made:
    kinds = (_cloth, _wood, _stripes, _clouds)
    ground = kinds[random.integers(len(kinds))](random, product.alpha.shape)
    return _over(_shaded(random, ground, product.alpha), product)


def _setting(random: Random, product: Product, _: list[Product], taken: list[Photograph]) -> Made:
    return _over(_shaded(random, _photographed(random, product, taken), product.alpha), product)


def _alike(random: Random, product: Product, _: list[Product], __: list[Photograph]) -> Made:
    edge = product.alpha - cv2.erode(product.alpha, np.ones((25, 25))) > 0.5
    own = np.median(product.colours[edge], axis=0) if edge.any() else product.colours.mean(axis=(0, 1))
    ground = _sweep(random, product.alpha.shape, own + random.uniform(8, 20) * random.choice((-1, 1)))
    return _over(_shaded(random, ground, product.alpha), product)


def _cut_off(random: Random, product: Product, _: list[Product], taken: list[Photograph]) -> Made:
    ys, xs = np.nonzero(product.alpha > 0.5)
    height, width = product.alpha.shape
    # Towards the left or the lower edge, by a third of the product.
    to_the_left, down_out = -xs.min() - np.ptp(xs) // 3, height - ys.max() + np.ptp(ys) // 3
    across, down = (to_the_left, 0) if random.random() < 0.5 else (0, down_out)
    move = np.array([[1, 0, across], [0, 1, down]], np.float64)
    alpha = cv2.warpAffine(product.alpha, move, (width, height))
    colours = cv2.warpAffine(product.colours, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    moved = Product(product.name, np.asarray(alpha, np.float32), np.asarray(colours, np.uint8))
    ground = _photographed(random, product, taken) if random.random() < 0.5 else _sweep(random, alpha.shape)
    return _over(_shaded(random, ground, moved.alpha), moved)


def _several(random: Random, product: Product, products: list[Product], _: list[Photograph]) -> Made:
    other = products[random.integers(len(products))]
    height, width = product.alpha.shape
    canvas = Product("", np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.uint8))
    for number, each in enumerate((product, other)):
        ys, xs = np.nonzero(each.alpha > 0.02)
        scale = min(0.44 * width / (np.ptp(xs) + 1), 0.85 * height / (np.ptp(ys) + 1))
        left, top = (0.03 + 0.5 * number) * width - xs.min() * scale, 0.95 * height - (ys.max() + 1) * scale
        move = np.array([[scale, 0, left], [0, scale, top]])
        alpha = cv2.warpAffine(each.alpha, move, (width, height), flags=cv2.INTER_AREA)
        colours = cv2.warpAffine(each.colours, move, (width, height), flags=cv2.INTER_AREA)
        canvas.colours[alpha > 0] = colours[alpha > 0]
        np.maximum(canvas.alpha, alpha, out=canvas.alpha)
    return _over(_shaded(random, _sweep(random, (height, width)), canvas.alpha), canvas)


_KINDS: dict[str, Make] = {
    "plain": _plain,
    "texture": _texture,
    "setting": _setting,
    "alike": _alike,
    "cut off": _cut_off,
    "several": _several,
}


def _as_a_camera_sees(random: Random, rgb: Picture) -> Picture:
    noise = random.normal(0, _NOISE, rgb.shape)
    return np.rint(np.clip(rgb + noise, 0, 255)).astype(np.uint8)


def _shaded(random: Random, ground: Picture, alpha: Plane) -> Picture:
    """The product's soft shadow, below and to one side of it."""
    height, width = alpha.shape
    move = np.array([[1, 0, random.uniform(-0.03, 0.03) * width], [0, 1, random.uniform(0, 0.03) * height]])
    shade = cv2.GaussianBlur(cv2.warpAffine(alpha, move, (width, height)), (0, 0), random.uniform(0.008, 0.03) * height)
    light = to_linear(ground) * (1 - random.uniform(0.1, 0.5) * shade[..., None])
    return to_srgb(light.astype(np.float32))


def _painted(values: NDArray[np.float64]) -> Picture:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _colour(random: Random) -> NDArray[np.float64]:
    return np.asarray(np.clip(random.uniform(20, 245) + random.normal(0, 25, 3), 0, 255))


def _sweep(random: Random, shape: tuple[int, ...], colour: NDArray[np.float64] | None = None) -> Picture:
    """Paper: light falls off towards the corners and along one direction."""
    y, x = np.mgrid[: shape[0], : shape[1]] / np.array(shape).reshape(2, 1, 1)
    if colour is None:
        colour = np.full(3, random.uniform(225, 255)) if random.random() < 0.5 else _colour(random)
    corners = random.uniform(0, 0.25) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    along = random.uniform(-0.08, 0.08) * (x - 0.5) + random.uniform(-0.08, 0.08) * (y - 0.5)
    return _painted(colour * (1 - corners + along)[..., None])


def _cloth(random: Random, shape: tuple[int, ...]) -> Picture:
    y, x = np.mgrid[: shape[0], : shape[1]]
    period = random.uniform(4, 14)
    weave = np.sin(x * 2 * np.pi / period) * np.sin(y * 2 * np.pi / period)
    folds = cv2.GaussianBlur(random.normal(0, 1, shape), (0, 0), 60)
    return _painted(_colour(random) + (random.uniform(4, 14) * weave + 18 * folds / folds.std())[..., None])


def _wood(random: Random, shape: tuple[int, ...]) -> Picture:
    noise = cv2.GaussianBlur(random.normal(0, 1, shape), (0, 0), sigmaX=random.uniform(15, 60), sigmaY=1.5)
    grain = random.uniform(8, 25) * noise / noise.std()
    return _painted(np.array([150.0, 105, 70]) * random.uniform(0.4, 1.4) + grain[..., None])


def _stripes(random: Random, shape: tuple[int, ...]) -> Picture:
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle, period = random.uniform(0, np.pi), random.uniform(20, 140)
    wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / period)
    share = np.clip(0.5 + wave * random.uniform(0.5, 8), 0, 1)[..., None]
    return _painted(_colour(random) * share + _colour(random) * (1 - share))


def _clouds(random: Random, shape: tuple[int, ...]) -> Picture:
    painted = np.broadcast_to(_colour(random), (*shape, 3)).copy()
    for cells in (3, 8, 24, 80):
        noise = random.normal(0, random.uniform(5, 25), (cells, cells, 3))
        painted += cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return _painted(painted)


def _photographed(random: Random, product: Product, taken: list[Photograph]) -> Picture:
    """A part of another product's busy photograph, with that product painted over."""
    others = [each for each in taken if each.name.endswith("-busy") and not each.name.startswith(product.name)]
    height, width = product.alpha.shape
    return training_pictures.setting(random, others, height, width)


def _canvas() -> tuple[Random, Plane, NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[:_SIDE_PX, :_SIDE_PX].astype(np.float64)
    return np.random.default_rng(11), np.zeros((_SIDE_PX * _FINE, _SIDE_PX * _FINE), np.float32), y, x


def _drawn(name: str, fine: Plane, colours: NDArray[np.float64]) -> Product:
    alpha = cv2.resize(fine, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    return Product(name, np.asarray(alpha, np.float32), _painted(colours))


def _strand(fine: Plane, start: NDArray[np.float64], step: NDArray[np.float64], bend: float, width_px: float) -> None:
    """A hair from `start` on, in twelve steps, bending; lengths in pixels of the picture."""
    turn = np.array([[np.cos(bend), -np.sin(bend)], [np.sin(bend), np.cos(bend)]])
    points = [start]
    for _ in range(12):
        points.append(points[-1] + step)
        step = turn @ step
    line = np.rint(np.array(points) * _FINE).astype(np.int32)
    cv2.polylines(fine, [line], isClosed=False, color=1.0, thickness=max(1, round(width_px * _FINE)))


def _fur() -> Product:
    random, fine, y, x = _canvas()
    cv2.circle(fine, (500 * _FINE, 500 * _FINE), 250 * _FINE, 1.0, cv2.FILLED)
    for _ in range(2600):
        angle = random.uniform(0, 2 * np.pi)
        out = np.array([np.cos(angle), np.sin(angle)])
        step = out * random.uniform(3, 8) + random.normal(0, 1, 2)
        _strand(fine, 500 + out * 240, step, random.normal(0, 0.06), random.uniform(0.4, 1.2))
    shade = 120 + 40 * np.sin(np.arctan2(y - 500, x - 500) * 90 + np.hypot(y - 500, x - 500) / 9)
    return _drawn("FUR", fine, shade[..., None] * np.array([1.1, 0.85, 0.6]))


def _fringe() -> Product:
    random, fine, y, _ = _canvas()
    cv2.rectangle(fine, (250 * _FINE, 120 * _FINE), (750 * _FINE, 640 * _FINE), 1.0, cv2.FILLED)
    for left in np.arange(254, 748, 2.5):
        step = np.array([random.normal(0, 1.0), random.uniform(13, 18)])
        _strand(fine, np.array([left, 630.0]), step, random.normal(0, 0.03), random.uniform(0.7, 1.8))
    bands = np.where((y // 60 % 2)[..., None] > 0, np.array([150.0, 40, 60]), np.array([60.0, 30, 90]))
    return _drawn("FRINGE", fine, bands)


def _net() -> Product:
    _, fine, y, x = _canvas()
    cv2.ellipse(fine, (500 * _FINE, 560 * _FINE), (300 * _FINE, 330 * _FINE), 0, 0, 360, 1.0, 14 * _FINE)
    inside = ((x - 500) / 300) ** 2 + ((y - 560) / 330) ** 2 < 1
    large = cv2.resize(inside.astype(np.float32), fine.shape, interpolation=cv2.INTER_NEAREST) > 0
    net = np.zeros_like(fine)
    for place in range(-_SIDE_PX, 2 * _SIDE_PX, 34):
        start, end, bottom = place * _FINE, (place + _SIDE_PX) * _FINE, _SIDE_PX * _FINE
        cv2.line(net, (start, 0), (end, bottom), 1.0, 3 * _FINE)
        cv2.line(net, (bottom - start, 0), (bottom - end, bottom), 1.0, 3 * _FINE)
    fine[large] = np.maximum(fine, net)[large]
    return _drawn("NET", fine, np.stack([190 - y / 12, 170 - y / 14, 120 - y / 16], axis=-1))


def _wheel() -> Product:
    _, fine, y, x = _canvas()
    middle = (500 * _FINE, 500 * _FINE)
    cv2.circle(fine, middle, 380 * _FINE, 1.0, 34 * _FINE)
    cv2.circle(fine, middle, 45 * _FINE, 1.0, cv2.FILLED)
    for angle in np.arange(0, 2 * np.pi, 2 * np.pi / 24):
        end = np.rint(np.array([np.cos(angle), np.sin(angle)]) * 380 * _FINE + 500 * _FINE).astype(int)
        cv2.line(fine, middle, (int(end[0]), int(end[1])), 1.0, 5 * _FINE)
    away = np.hypot(y - 500, x - 500)
    shade = np.where(away > 360, 45, 175) + 20 * np.sin(np.arctan2(y - 500, x - 500) * 3)
    return _drawn("WHEEL", fine, np.repeat(shade[..., None], 3, axis=2))
