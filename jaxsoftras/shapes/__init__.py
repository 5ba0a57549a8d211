"""The embedded data set: procedural shapes of the 13 categories, with no download.

* `dataset`: `write_dataset` and `ensure_dataset`, the files.
* `catalogue`: `make_shape`, one object by category, number and seed.
* `seating`, `sofas`, `furniture`, `lamps`, `displays`, `loudspeakers`, `telephones`,
  `rifles`, `cars`, `airplanes`, `vessels` (with `boats`, `hulls`): the generators;
  `palette`: the colours.
* `placement`, `solids`, `polygons`: closed building blocks; `cubes`: the surface of a
  voxel grid.
* `zbuffer`: the renderer; `sheet`: contact sheets.

`python -m jaxsoftras.shapes --help` tells how to make it.
"""
