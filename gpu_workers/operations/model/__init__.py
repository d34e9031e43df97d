"""A top that lay flat, on a virtual mannequin. No operation yet: what is missing is said below.

A cutout's outline is cut into landmarks (`outline`), its panels along that outline (`pattern`), laid around a body with
its arms out (`laying`) and hung on it while the arms go down (`drape`); then divided finely (`fine_cloth`), coloured by
the cutout's own pixels (`cloth_colour`), lit together with the body (`lighting`, `raster`) and drawn (`dressing`).
`measures` says how well that went.

Short-sleeved tops only; all else is refused by name. The cloth has not always come to rest: sleeves stand off and lumps
stay at the sides, and the print is stretched by a quarter at places, where a fifth is the limit. Until that is mended
there is no schema half, no command and no recipe, so that no shop gets such a picture.
"""
