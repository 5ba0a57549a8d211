"""Evaluates a run: mean voxel IoU and loss per category, a gallery, and meshes.

    python eval.py --workdir runs/real13 --split test

Writes metrics.json, gallery.png and an OBJ file per category to eval/<split>/ in the
run folder. Once the package is installed, ``jaxsoftras eval`` is the same program. It
calls `jaxsoftras.reconstruction.evaluation_run.evaluate`.
"""

import sys

from jaxsoftras.reconstruction import evaluation_run

if __name__ == "__main__":
    sys.exit(evaluation_run.main(prog="eval.py"))
