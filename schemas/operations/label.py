"""The parameters of a label that people see, where a rule about AI in pictures demands one."""

from typing import Annotated, Literal

from schemas.operations.base import ALPHA, FILE, TEXT, Operation, Parameters, described

Language = Literal["de", "en", "es", "fr", "it", "nl", "pl", "pt", "sv"]
When = Literal["demanded", "always"]
Corner = Literal["auto", "top-left", "top-right", "bottom-left", "bottom-right"]


class LabelParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipe, or a tenant's defaults for a channel, may set.

    `language`: the channel's. `when`: only where a disclosure rule that ships demands a label of a picture made in this
    way on this channel, whatever the day from which it holds; or always. `corner`: auto is the one with the least of
    the product in it.
    """

    language: Annotated[Language, described("Language", "of the label: the channel's")] = "en"
    when: Annotated[When, described("When", "only where a rule demands a label, or always")] = "demanded"
    corner: Annotated[Corner, described("Corner", "auto is the one with the least of the product in it")] = "auto"


OPERATION = Operation(
    name="label",
    summary="a label in a corner that says what AI made of a picture, where a rule demands it",
    pool="compose",
    parameters=LabelParameters,
    takes=frozenset({"picture"}),
    makes="picture",
    banned_by=frozenset({"text", "overlay"}),
    extent="canvas",
    required={
        **FILE,
        **ALPHA,
        **TEXT,
        "product_delta_e_median": "colour",
        "product_delta_e_p95": "colour",
        "label_off": "policy",
        "label_over_product": "product",
    },
)
