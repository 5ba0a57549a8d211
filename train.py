"""Trains a network that turns one image into a 3D mesh, from images alone.

    python train.py --config configs/real13.py --workdir runs/real13
    python train.py --config configs/demo.py --set optim.steps=500 seed=1

The same command again resumes from the last checkpoint; ``eval.py`` evaluates the run.
Once the package is installed, ``jaxsoftras train`` is the same program. The training
loop is in `jaxsoftras.reconstruction.training_run.train`.
"""

import os
import signal


def _end(number: int, _) -> None:
    """Ends the program while it still imports JAX, which takes seconds."""
    os.write(2, b"train.py: interrupted.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _end)

    from jaxsoftras import __main__ as program
    from jaxsoftras import terminal

    terminal.leave(lambda: program.run_command("train", None, prog="train.py"))
