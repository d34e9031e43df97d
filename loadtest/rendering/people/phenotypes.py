"""The bodies: what each is made of. Adults only; nobody is meant."""

from __future__ import annotations

from dataclasses import dataclass, field

Shares = dict[str, float]


@dataclass(frozen=True)
class Body:
    """One body. Each dictionary says of which of MakeHuman's extremes it is made, in shares that sum to 1 (one that is
    negative goes beyond the other extreme); `details` are targets of its own folders with their strength."""

    name: str
    title: str
    years: int
    presents: str
    gender: Shares
    age: Shares
    muscle: Shares
    weight: Shares
    ancestry: Shares
    height: Shares = field(default_factory=dict)
    proportions: Shares = field(default_factory=dict)
    cup: Shares = field(default_factory=lambda: {"averagecup": 1.0})
    firmness: Shares = field(default_factory=lambda: {"averagefirmness": 1.0})
    details: Shares = field(default_factory=dict)
    stance: str = "left"


WOMAN, MAN = {"female": 1.0}, {"male": 1.0}
EVEN = {"african": 1 / 3, "asian": 1 / 3, "caucasian": 1 / 3}

BODIES = (
    Body(
        name="mira",
        title="Woman, about 30",
        years=30,
        presents="woman",
        gender=WOMAN,
        age={"young": 0.93, "old": 0.07},
        muscle={"averagemuscle": 0.9, "maxmuscle": 0.1},
        weight={"averageweight": 0.8, "minweight": 0.2},
        ancestry=EVEN,
        height={"maxheight": 0.12},
        proportions={"idealproportions": 0.5},
        cup={"averagecup": 0.85, "mincup": 0.15},
    ),
    Body(
        name="ben",
        title="Man, about 30",
        years=30,
        presents="man",
        gender=MAN,
        age={"young": 0.93, "old": 0.07},
        muscle={"averagemuscle": 0.75, "maxmuscle": 0.25},
        weight={"averageweight": 1.0},
        ancestry=EVEN,
        height={"maxheight": 0.06},
        proportions={"idealproportions": 0.4},
        stance="right",
    ),
    Body(
        name="oda",
        title="Woman, about 35, full",
        years=35,
        presents="woman",
        gender=WOMAN,
        age={"young": 0.85, "old": 0.15},
        muscle={"averagemuscle": 1.0},
        weight={"averageweight": -0.7, "maxweight": 1.7},
        ancestry=EVEN,
        height={"maxheight": 0.14},
        details={
            "torso/torso-scale-horiz-incr": 0.65,
            "torso/torso-scale-depth-incr": 0.65,
            "hip/hip-scale-horiz-incr": 0.6,
            "hip/hip-scale-depth-incr": 0.6,
        },
        cup={"averagecup": 0.6, "maxcup": 0.4},
        stance="right",
    ),
    Body(
        name="karl",
        title="Man, about 60, stout",
        years=60,
        presents="man",
        gender=MAN,
        age={"young": 0.4, "old": 0.6},
        muscle={"averagemuscle": 1.0},
        weight={"averageweight": 0.1, "maxweight": 0.9},
        ancestry=EVEN,
    ),
)
