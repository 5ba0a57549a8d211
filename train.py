"""Trains a network that turns one image into a 3D mesh, from images alone.

    python train.py --config configs/real13.py --workdir runs/real13
    python train.py --config configs/demo.py --set optim.steps=500 seed=1

The same command again resumes from the last checkpoint; ``eval.py`` evaluates the run.
Once the package is installed, ``jaxsoftras train`` is the same program. The training
loop is in `jaxsoftras.reconstruction.training_run.train`.
"""

import sys

from jaxsoftras.reconstruction import training_run

if __name__ == "__main__":
    sys.exit(training_run.main(prog="train.py"))
