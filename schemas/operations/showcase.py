"""The parameters of a showcase: a short clip of a product in a scene."""

from typing import Annotated, Literal

from msgspec import Meta, field

from schemas.operations.base import BadParameters, Operation, Parameters, Required, described
from schemas.operations.mockup import OPERATION as MOCKUP
from schemas.operations.mockup import MockupParameters, ProductHeight, SceneName, ScenePalette, SceneSeed, SceneWords
from schemas.wording import PARAMETER

Motion = Literal["slide", "push_in", "light_sweep", "rack_focus"]
Aspect = Literal["1:1", "4:5", "9:16"]
FRAMES_MAX = 300  # ten seconds at 30 frames a second
_SHAPES: dict[Aspect, tuple[int, int]] = {"1:1": (1, 1), "4:5": (4, 5), "9:16": (9, 16)}

CLIP: Required = {
    "clip_bytes": "channel",
    "clip_bt709": "colour",
    "clip_layer_delta_e": "colour",
    "clip_delta_e_mean": "colour",
    "clip_loop_difference": "product",
}


class ShowcaseParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a merchant may ask for.

    `motion`: `slide`, the camera goes to the side and back; `push_in`, it comes nearer; `light_sweep`, a bright band of
    the main light passes over the scene; `rack_focus`, what is far from the product goes out of focus. `duration_s`,
    `fps`: how long the clip is, and its frames a second. `size_px`: its shorter side, an even number; `aspect`: width
    by height. `loop`: whether the last frame is the first one again; else the motion goes one way. `scene`,
    `background.prompt`, `seed`, `height_cm`, `palette`: as a mockup's.
    """

    motion: Annotated[Motion, described("Motion", "slide, push_in, light_sweep or rack_focus")] = "slide"
    duration_s: Annotated[Annotated[float, Meta(ge=1.0, le=10.0)], described("Length", "of the clip", "seconds")] = 5.0
    fps: Annotated[Annotated[int, Meta(ge=10, le=30)], described("Frames a second", "of the clip", "frames")] = 24
    size_px: Annotated[
        Annotated[int, Meta(ge=240, le=1080, multiple_of=2)],
        described("Size", "the shorter side of the clip", "pixels"),
    ] = 1080
    aspect: Annotated[Aspect, described("Shape", "width by height: 1:1, 4:5 or 9:16")] = "1:1"
    loop: Annotated[bool, described("Loop", "true: the last frame is the first one again; false: one way")] = True
    scene: SceneName = "auto"
    prompt: SceneWords = field(default=None, name=PARAMETER)
    seed: SceneSeed = 0
    height_cm: ProductHeight = None
    palette: ScenePalette = None

    def __post_init__(self) -> None:
        if self.frames > FRAMES_MAX:
            message = f"`duration_s`: {self.duration_s:g} s at {self.fps} frames a second are {self.frames} frames"
            raise BadParameters(f"{message}; there may be {FRAMES_MAX}", "duration_s")
        _ = self.still.reading  # words of which nothing is known are refused before anything is made

    @property
    def frames(self) -> int:
        """How many frames the clip has."""
        return round(self.duration_s * self.fps)

    @property
    def width_px(self) -> int:
        """The clip's width; even, as its colours are kept at half the size."""
        return self.size_px

    @property
    def height_px(self) -> int:
        """The clip's height; even."""
        across, down = _SHAPES[self.aspect]
        return round(self.size_px * down / across / 2) * 2

    @property
    def still_parameters(self) -> dict[str, str]:
        """The parameters of the mockup of which it is a clip, as texts."""
        given = {PARAMETER: self.prompt, "height_cm": self.height_cm, "palette": self.palette}
        size = f"{self.width_px}x{self.height_px}"
        always = {"outputSize": size, "scene": self.scene, "seed": str(self.seed)}
        return always | {name: str(value) for name, value in given.items() if value is not None}

    @property
    def still(self) -> MockupParameters:
        """The mockup of which it is a clip."""
        return MockupParameters.parse(self.still_parameters)


OPERATION = Operation(
    name="showcase",
    summary="a short clip of the product in a scene, and its poster",
    pool="compose",
    parameters=ShowcaseParameters,
    takes=frozenset({"cutout"}),
    makes="clip",  # what goes on with its poster would lose what moves
    ground="own",
    banned_by=frozenset({"scene"}),
    extent="canvas",
    required={**MOCKUP.required, **CLIP},
    beside={"clip": "video/mp4", "mail": "image/webp"},
)
