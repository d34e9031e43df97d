"""The parameters of a garment on a virtual mannequin."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta

from schemas.operations.base import CUT, FILE, BadParameters, Operation, SizedParameters, described
from schemas.records import Name

BodySize = Literal["any", "XS", "S", "M", "L", "XL", "2XL", "3XL", "4XL", "5XL"]
Finish = Literal["white", "grey", "black", "skin"]
Skin = Literal["porcelain", "light", "olive", "tan", "brown", "deep"]
Setting = Literal["paper-grey", "paper-white", "paper-sand", "paper-slate"]
Fit = Literal["slim", "regular", "loose"]
TAKEN = ("auto", "top")
_FLAT = "it lies flat in another shape than a top with short sleeves"
# What merchants may well ask for, and why they do not get it.
NOT_YET: Mapping[str, str] = MappingProxyType(
    {
        "long-sleeved-top": "long sleeves bend at the elbow",
        "sleeveless-top": "its armholes are not found yet",
        "shirt": "a placket opens, and cuffs are closed",
        "hoodie": "a hood lies behind the neck",
        "sweater": "long sleeves bend at the elbow, and knitwear has a thickness of its own",
        "jacket": "it is open in front, and has a lining",
        "coat": "it is open in front, and has a lining",
        "dress": _FLAT,
        "skirt": _FLAT,
        "trousers": _FLAT,
        "shorts": _FLAT,
        "jumpsuit": _FLAT,
        "lingerie": "it is worn on bare bodies, which no mannequin of ours is",
        "swimwear": "it is worn on bare bodies, which no mannequin of ours is",
        "shoe": "it is no cloth",
        "bag": "it is no cloth",
        "hat": "it is worn on a head, and pictures end at the chin",
        "eyewear": "it is worn on a head, and pictures end at the chin",
        "jewellery": "it is no cloth",
    }
)


class ModelParameters(SizedParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a merchant may ask for.

    `model`: a mannequin's name, or `any`. `body`: its size, where its name was not given. `finish`: its surface, matte;
    `skin` paints it in the tone that `skin` names: it is a mannequin all the same. `setting`: the paper behind it.
    `category`: what the garment is; `auto` looks whether it is a top with short sleeves, and nothing else is taken yet.
    `width_cm`: how wide it is from armpit to armpit as it lies; without it, it is as wide as `fit` says on this body.
    `seed`: which mannequin, where several do. `outputSize`: WIDTHxHEIGHT in pixels.
    """

    model: Annotated[Name, described("Mannequin", "its name; any takes one of the size asked for")] = "any"
    body: Annotated[BodySize, described("Body", "the mannequin's size")] = "any"
    finish: Annotated[Finish, described("Surface", "of the mannequin, which is said to be one in each")] = "white"
    skin: Annotated[Skin, described("Tone", "of a surface that is painted as skin")] = "olive"
    setting: Annotated[Setting, described("Setting", "the studio's paper")] = "paper-grey"
    category: Annotated[Name, described("Garment", "top, with short sleeves; auto looks if it is one")] = "auto"
    width_cm: Annotated[
        Annotated[float, Meta(ge=20.0, le=120.0)] | None,
        described("Width of the garment", "from armpit to armpit as it lies", "cm"),
    ] = None
    fit: Annotated[Fit, described("Fit", "how wide it is on this body, where its width is not given")] = "regular"
    seed: Annotated[
        Annotated[int, Meta(ge=0, lt=2**53)], described("Variation", "which mannequin, where several may be taken")
    ] = 0

    def __post_init__(self) -> None:
        if self.model != "any" and self.body != "any":
            raise BadParameters("`model` excludes `body`: a mannequin that is named has its own size", "body")
        if self.category not in TAKEN:
            raise BadParameters(f"`category` = {self.category!r}: {refused(self.category)}", "category")


def refused(category: str) -> str:
    """Why a garment of this category is not worn by a virtual model."""
    why = NOT_YET.get(category)
    if why is None:
        return f"it is to be one of {', '.join(TAKEN)}; not supported yet: {', '.join(NOT_YET)}"
    return f"not supported yet: {why}. Only tops with short sleeves are worn"


OPERATION = Operation(
    name="model",
    summary="a top with short sleeves on a virtual mannequin",
    pool="compose",
    parameters=ModelParameters,
    takes=frozenset({"cutout"}),
    makes="picture",
    ground="own",
    banned_by=frozenset({"scene", "mannequin", "rendering"}),
    extent="canvas",
    required={
        **FILE,
        **CUT,
        "virtual_model": "channel",
        "in_frame": "product",
        "landmark_asymmetry": "product",
        "neck_contrast": "product",
        "drape_stretch_p99": "product",
        "seam_off_shoulder_cm": "product",
        "print_stretch_p5": "product",
        "print_stretch_p95": "product",
        "let_out": "product",
        "through_body_mm": "product",
        "bare_share": "product",
        "light_divided_delta_e": "colour",
    },
)
