"""A top that lay flat, on a virtual mannequin.

A cutout's outline is cut into landmarks (`outline`), its panels along that outline (`pattern`) in a size for the body
(`sizing`), laid around it with its arms out (`laying`) and hung on it while the arms go down (`drape`, `cloth_steps`);
then divided finely (`fine_cloth`), coloured by the cutout's own pixels (`cloth_colour`), lit together with the body
(`lighting`, `raster`) and drawn (`dressing`). `measures` says how well that went.

Tops with short sleeves only, from the front; all else is refused by name. There is no self-collision: where a sleeve
meets the trunk, cloth may pass through cloth. It is smooth cloth: creases are those of the photograph.
"""
