"""The parameters of a mockup: a product in a scene."""

from typing import Annotated, Literal

from msgspec import Meta, field

from schemas.operations.base import CUT, FILE, KEPT, TEXT, BadParameters, Operation, SizedParameters, described
from schemas.records import Name
from schemas.text import whole
from schemas.wording import LENGTH_MAX, PARAMETER, NotUnderstood, Reading, read

Framing = Literal["hero", "context", "detail"]
CopySpace = Literal["none", "left", "right", "top"]


# What a scene is asked for by, here and by a clip of it.
SceneName = Annotated[Name, described("Scene", "its name; auto takes one that suits the product")]
SceneWords = Annotated[
    Annotated[str, Meta(min_length=1, max_length=LENGTH_MAX)] | None,
    described("Scene in words", "as: oak table, morning sun; in English, German, French, Spanish, Polish"),
]
SceneSeed = Annotated[
    Annotated[int, Meta(ge=0, lt=2**53)], described("Variation", "of the scene; 0 is as its maker meant it")
]
ProductHeight = Annotated[
    Annotated[float, Meta(gt=0.0, le=1000.0)] | None, described("Height of the product", "as it stands", "cm")
]
ScenePalette = Annotated[
    Annotated[str, Meta(max_length=1024)] | None,
    described("Colours of the scene", "as wall:#E8DFD0,table:#5A4636, by the scene's paints"),
]


class MockupParameters(SizedParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a merchant may ask for.

    `scene`: a scene's name, or `auto` for one that suits the product. `background.prompt`: words of `schemas.wording`
    for scene, light, colours and props; what is asked for by itself goes before them. `seed`: which variation of it; 0
    is the scene as its maker meant it, or as the words want it. `height_cm`: how tall the product is as it stands.
    `others`: SKUs, with commas, of products that stand beside it, whose cut-outs and heights the flow knows;
    `others.height_cm`: how tall those are whose pictures are given, with commas. `place`: where it stands, one of the
    scene's places. `palette`: colours for the scene's paints, as `wall:#E8DFD0,table:#5A4636`. `shadow.mode`: scene,
    none. `lighting.mode`: `scene` moves the scene's light towards the product's, `both` the product's towards the
    scene's too (a median ΔE00 of 2 at most), none neither. `framing`: `hero` shows the product at about half of the
    picture's height, where the scene is large enough and not too far enlarged; `context` shows the room about it,
    `detail` little but the product. `copySpace`: the side that is kept free for words. `outputSize`: WIDTHxHEIGHT in
    pixels.
    """

    scene: SceneName = "auto"
    prompt: SceneWords = field(default=None, name=PARAMETER)
    seed: SceneSeed = 0
    height_cm: ProductHeight = None
    others: Annotated[
        Annotated[str, Meta(min_length=1, max_length=1024)] | None,
        described("Products beside it", "their SKUs, with commas between them"),
    ] = None
    others_heights: Annotated[
        Annotated[str, Meta(max_length=1024, pattern=whole(r"[0-9]+(\.[0-9]+)?(,[0-9]+(\.[0-9]+)?)*"))] | None,
        described("Heights of those beside it", "of each whose picture is given, with commas between them", "cm"),
    ] = field(default=None, name="others.height_cm")
    place: Annotated[Name | None, described("Place in the scene", "one of the scene's own")] = None
    palette: ScenePalette = None
    shadow_mode: Annotated[Literal["scene", "none"], described("Shadow", "as the scene's light throws it, or none")] = (
        field(default="scene", name="shadow.mode")
    )
    lighting_mode: Annotated[
        Literal["scene", "both", "none"],
        described("Light", "scene: the scene's goes towards the product's; both: the product's gives way, too"),
    ] = field(default="scene", name="lighting.mode")

    framing: Annotated[
        Framing, described("Framing", "hero: half of the height is the product; context: the room; detail: the product")
    ] = "hero"
    copy_space: Annotated[CopySpace, described("Room for words", "the side that is kept free")] = field(
        default="none", name="copySpace"
    )

    def __post_init__(self) -> None:
        if self.others is not None and self.others_heights is not None:
            message = "`others` exclude `others.height_cm`: products of the catalogue have heights of their own"
            raise BadParameters(message, "others.height_cm")
        if self.others is not None and len(set(self.others_skus)) < len(self.others_skus):
            raise BadParameters("`others` must not repeat a product", "others")
        _ = self.reading  # words of which nothing is known are refused before anything is made

    @property
    def reading(self) -> Reading | None:
        """What `background.prompt` says, if it was given. Raises BadParameters."""
        try:
            return None if self.prompt is None else read(self.prompt)
        except NotUnderstood as error:
            raise BadParameters(f"`{PARAMETER}`: {error}", PARAMETER) from error

    @property
    def others_skus(self) -> list[str]:
        """`others` as SKUs."""
        return [sku for part in (self.others or "").split(",") if (sku := part.strip())]

    @property
    def others_height_cm(self) -> list[float]:
        """`others.height_cm` as numbers."""
        return [float(part) for part in (self.others_heights or "").split(",") if part]

    @property
    def colours(self) -> dict[str, str]:
        """`palette` as colours by paint. Raises BadParameters."""
        pairs = [part.strip().partition(":") for part in (self.palette or "").split(",") if part.strip()]
        for name, _, value in pairs:
            if not name or len(value) != 7 or value[0] != "#" or not set(value[1:].lower()) <= set("0123456789abcdef"):
                raise BadParameters(f"`palette` = {self.palette!r}: it is to be paint:#RRGGBB, with commas", "palette")
        return {name: value for name, _, value in pairs}


OPERATION = Operation(
    name="mockup",
    summary="the product in a scene, at its real size",
    pool="compose",
    parameters=MockupParameters,
    takes=frozenset({"cutout"}),
    makes="picture",
    ground="own",
    banned_by=frozenset({"scene"}),
    extent="canvas",
    required={
        **FILE,
        **KEPT,
        **CUT,
        **TEXT,
        "product_delta_e_median": "colour",
        "in_frame": "product",
        "visible_share": "product",
        "height_error": "product",
        "has_scene": "channel",
        "scale": "channel",
    },
)
