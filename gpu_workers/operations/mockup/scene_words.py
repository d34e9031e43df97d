"""What words ask of a scene: which one it is, its light, the colours of its paints, its props, its variation.

A word is met by a scene that has its term among its tags or props, by what it does to any light, or by a paint; what
cannot be met is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gpu_workers.library.scenes import Scene
from gpu_workers.operations.mockup.scene_variation import Variation
from schemas import wording
from schemas.operations.base import BadParameters
from schemas.wording import LightChange, Reading, Said

_PLACING = ("surface", "room")  # the kinds that a scene must have, or it is another one
_BEHIND = ("wall", "tiles", "backdrop")  # paints
_FIELD = wording.PARAMETER


@dataclass(frozen=True)
class Directions:
    """What is done to a scene for the sake of words: `seed` is the variation where none is asked for, `colours` are by
    paint, `light` multiplies `key` and `ambient` (3,), `props` are there or are not. `met` tells of every term whether
    it shows."""

    seed: int = 0
    colours: Mapping[str, str] = field(default_factory=dict)
    key: NDArray[np.float32] = field(default_factory=lambda: np.ones(3, np.float32))
    ambient: NDArray[np.float32] = field(default_factory=lambda: np.ones(3, np.float32))
    props: Mapping[str, bool] = field(default_factory=dict)
    met: Mapping[str, bool] = field(default_factory=dict)

    def directed(self, variation: Variation, scene: Scene) -> Variation:
        """The `variation` as the words want it."""
        props = variation.props.copy()
        for number, prop in enumerate(scene.props):
            if prop.name in self.props:
                props[number % len(props)] = 0.0 if self.props[prop.name] else 1.0
        return replace(variation, key=variation.key * self.key, ambient=variation.ambient * self.ambient, props=props)


NO_DIRECTIONS = Directions()


def directions(reading: Reading, scene: Scene, palette: Mapping[str, str], places: Sequence[str]) -> Directions:
    """What `reading` asks of a `scene` whose `places` are taken, the paints of `palette` having their colours."""
    wanted = [each for each in reading.said if each.is_wanted]
    props = {prop.name: prop for prop in scene.props}
    shown = {
        each.term: each.is_wanted
        for each in reading.said
        if each.term in props and not (each.is_wanted and set(props[each.term].hides_places) & set(places))
    }
    colours = _colours(wanted, scene, palette)
    key, ambient = _light(wanted)
    met = {each.term: _is_met(each, scene, shown, colours) for each in reading.said}
    return Directions(reading.seed, colours, key, ambient, shown, met)


def best_for(reading: Reading, fitting: Sequence[Scene], category: str) -> Scene:
    """Of scenes that fit, the one that has most of what is said; of equal ones the one that suits the category best.
    Raises BadParameters where a surface or a room is asked for that none of them has."""
    kinds = wording.vocabulary().terms
    placing = {each.term for each in reading.said if each.is_wanted and kinds[each.term].kind in _PLACING}
    if placing and not any(placing & set(scene.tags) for scene in fitting):
        tags = {tag for scene in fitting for tag in scene.tags if tag in kinds}
        there = sorted(tag for tag in tags if kinds[tag].kind in _PLACING)
        words = ", ".join(sorted(placing))
        raise BadParameters(f"`{_FIELD}`: no scene for this product has {words}; there are: {', '.join(there)}", _FIELD)
    return max(fitting, key=lambda scene: (_score(reading, scene), scene.covers(category), scene.closeness(category)))


def _score(reading: Reading, scene: Scene) -> int:
    """What of the terms a scene has, by what each kind counts."""
    known, has = wording.vocabulary(), {*scene.tags, *(prop.name for prop in scene.props)}
    terms = {each.term for each in reading.said if each.is_wanted}
    return sum(known.kinds[known.terms[term].kind] for term in terms & has)


def _colours(wanted: Sequence[Said], scene: Scene, palette: Mapping[str, str]) -> dict[str, str]:
    """Each colour for the paint that is named beside it, `white sofa`, or else for the first that is free, what is
    behind the products before all others."""
    terms, said = wording.vocabulary().terms, [each.term for each in wanted]
    names = sorted((paint.name for paint in scene.paints), key=lambda name: name not in _BEHIND)
    free = [name for name in names if name not in palette]
    found: dict[str, str] = {}
    for number, term in enumerate(said):
        colour = terms[term].colour
        if colour is not None and colour not in found.values() and free:
            beside = [each for each in said[number + 1 : number + 2] + said[:number][-1:] if each in free]
            paint = (beside or free)[0]
            free.remove(paint)
            found[paint] = colour
    return found


def _light(wanted: Sequence[Said]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    key, ambient = np.ones(3, np.float32), np.ones(3, np.float32)
    for term in dict.fromkeys(each.term for each in wanted):
        light = wording.vocabulary().terms[term].light or LightChange()
        warmth = np.array([1 + light.warmth, 1, 1 - light.warmth], np.float32)
        key *= np.float32(light.key) * warmth
        ambient *= np.float32(light.ambient) * warmth
    return key, ambient


def _is_met(each: Said, scene: Scene, shown: Mapping[str, bool], colours: Mapping[str, str]) -> bool:
    term = wording.vocabulary().terms[each.term]
    if term.kind == "props":
        return shown.get(each.term, False) == each.is_wanted
    if not each.is_wanted:
        return each.term not in scene.tags and term.light is None and term.colour is None
    if term.kind == "palette":
        return term.colour in colours.values()
    return each.term in scene.tags or term.light is not None
