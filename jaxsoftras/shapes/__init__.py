"""The embedded data set: procedural shapes of the 13 categories, with no download.

* `dataset`: `write_dataset` and `ensure_dataset`, which write the files.
* `catalogue`: `make_shape`, which makes one object by category, number and seed.
* `seating`, `sofas`, `furniture`, `lamps`, `displays`, `loudspeakers`, `telephones`,
  `rifles`, `cars`, `airplanes`, `vessels` (with `boats`, `hulls`): the generators.
* `palette`: colours of parts.
* `placement`, `solids`, `polygons`: closed building blocks.
* `sheet`: contact sheets.

The command line is ``python -m jaxsoftras.shapes --help``. Objects are rendered by
`jaxsoftras.data.zbuffer` and written by `jaxsoftras.data.writing`.
"""
