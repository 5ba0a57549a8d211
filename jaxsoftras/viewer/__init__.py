"""A viewer in the browser: meshes, runs while they train, and predictions.

* `view_run`: the command line, ``jaxsoftras view``.
* `exhibits`: what is shown at a time; `solids`, `cards`: its meshes and its text.
* `page`: the page, served by viser; `addresses`: where it is served.
* `worker`: the thread that loads, reconstructs and draws.
* `stepping`, `file_list`: controls; `mesh_files`, `pictures`: what they step through.

The objects of a run are shown by `jaxsoftras.reconstruction.run_viewing`.
"""

from jaxsoftras.guesses import answer_module as _answer_module

_answer_module(__name__)
