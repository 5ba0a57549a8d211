"""The embedded data set: procedural shapes of the 13 categories, with no download.

* `dataset`: `write_dataset` and `ensure_dataset`, which write the files; `making`,
  which makes one object of them.
* `catalogue`: `make_shape`, which makes one mesh by category, number and seed.
* `kinds`: kinds of objects, and which of them are held out for a test.
* `airplanes` (with `aircraft`), `benches` (`seats`), `cabinets` (`appliances`,
  `shelves`), `cars` (`machines`), `chairs` (`armchairs`, `stools`), `displays`
  (`screens`), `lamps` (`ceiling_lamps`, `standing_lamps`), `loudspeakers` (`radios`),
  `rifles` (`pistols`, `blasters`), `sofas` (`corner_sofas`), `tables` (`low_tables`),
  `telephones` (`handsets`), `vessels` (`boats`, `ships`): the kinds of each category.
* `legs`, `wings`, `shades`, `drivers`, `handset_parts`, `plates`, `hulls`, `sails`:
  parts that kinds share.
* `palette`: colours of parts.
* `placement`, `solids`, `polygons`: closed building blocks.
* `sheet`: contact sheets.

The command line is ``python -m jaxsoftras.shapes --help``. Objects are rendered by
`jaxsoftras.data.zbuffer` and voxelized by `jaxsoftras.data.solids`.
"""

from jaxsoftras.guesses import answer_module as _answer_module

_answer_module(__name__)
