"""Channel: the picture is as the channel's dated rules want it; the limits in them say their own sources."""

from schemas.channels import Channel
from schemas.records import Check
from streams.flow.gates import BY_EYE, Measures, Threshold, at_least, at_most, held

POINT = "channel"

ENLARGED_MAX = 2.0  # times the source's own size, on channels that take enlarged pictures

FILE = (
    Threshold(
        measure="has_srgb_profile",
        bound="≥",
        limit=1,
        unit="1 when the file says so",
        otherwise="fail",
        data="none: every file carries sRGB's profile",
        command=BY_EYE,
    ),
    Threshold(
        measure="has_source_type",
        bound="≥",
        limit=1,
        unit="1 when the file says so",
        otherwise="fail",
        data="none: every file carries IPTC's DigitalSourceType",
        command=BY_EYE,
    ),
    Threshold(
        measure="jpeg_quality",
        bound="≥",
        limit=69,
        unit="of the IJG's scale, 1..100",
        otherwise="fail",
        where_measured=True,
        data="none: ours are written at 70 and more",
        command=BY_EYE,
    ),
)
PERSON_SHARE = Threshold(
    measure="cutout.person_share",
    bound="≤",
    limit=0.01,
    unit="share of what was cut out",
    otherwise="review",
    where_measured=True,
    data="none is kept: a thumb was more; with a lower limit, what only looks like skin would wait for a person",
    command=BY_EYE,
)

CLIP = (
    Threshold(
        measure="clip_bytes",
        bound="≤",
        limit=1_500_000,
        unit="bytes",
        otherwise="review",
        where_measured=True,
        data="none: larger, and a shop's page waits for it",
        command=BY_EYE,
    ),
)

THRESHOLDS = (*FILE, PERSON_SHARE, *CLIP)


def checks(measures: Measures, channel: Channel) -> list[Check]:
    """What the channel wants of size, ground, fill and file, and what it does not take."""
    return [
        *_size(measures, channel),
        *_background(measures, channel),
        *_product(measures, channel),
        *_file(measures, channel),
        *_banned(measures, channel),
    ]


def _size(measures: Measures, channel: Channel) -> list[Check]:
    rule, small, large = channel.rule_version, channel.smallest, channel.largest
    return [
        at_least(POINT, "width_px", measures, small.width_px, "fail", rule),
        at_least(POINT, "height_px", measures, small.height_px, "fail", rule),
        at_most(POINT, "width_px", measures, large.width_px, "fail", rule),
        at_most(POINT, "height_px", measures, large.height_px, "fail", rule),
    ]


def _background(measures: Measures, channel: Channel) -> list[Check]:
    """Exactly the channel's own where it demands one, else close to the one that was asked for."""
    rule, share_min = channel.rule_version, channel.background_exact_min
    if not channel.background_required:
        return [at_least(POINT, "background_near_share", measures, share_min, "fail", rule)]
    return [
        at_least(POINT, "background_as_channel", measures, 1, "fail", rule),
        at_least(POINT, "background_exact_share", measures, share_min, "fail", rule),
    ]


def _product(measures: Measures, channel: Channel) -> list[Check]:
    rule = channel.rule_version
    return [
        at_least(POINT, "fill", measures, channel.fill.min, "fail", rule),
        at_most(POINT, "fill", measures, channel.fill.max, "fail", rule),
        at_most(POINT, "scale", measures, channel.scale_max, "fail", rule),
    ]


def _file(measures: Measures, channel: Channel) -> list[Check]:
    rule = channel.rule_version
    return [
        at_most(POINT, "size_bytes", measures, channel.file_bytes_max, "fail", rule),
        at_least(POINT, "format_allowed", measures, 1, "fail", rule),
        *held(POINT, FILE, measures),
        *held(POINT, CLIP, measures),
    ]


def _banned(measures: Measures, channel: Channel) -> list[Check]:
    """What the channel does not take, where the picture has it."""
    rule, scenes_max = channel.rule_version, float("scene" not in channel.bans and not channel.background_required)
    enlarged_max = ENLARGED_MAX if channel.allows_upscaling else 1.0
    people_max = 1.0 if channel.people else PERSON_SHARE.limit
    found = (
        at_most(POINT, "has_scene", measures, scenes_max, "fail", rule),
        at_most(POINT, PERSON_SHARE.measure, measures, people_max, "review", rule),
        at_most(POINT, "upscaled_by", measures, enlarged_max, "fail", rule),
        at_most(POINT, "upscale.upscaled_by", measures, enlarged_max, "fail", rule),
    )
    return [each for each in found if each.measured is not None]
