"""Evaluates a run: mean voxel IoU and loss per category, a gallery, and meshes.

    python eval.py --workdir runs/real13 --split test

Writes metrics.json, gallery.png, an OBJ file per category and report.html to
eval/<split>/ in the run folder. Once the package is installed, ``jaxsoftras eval`` is
the same program. It calls `jaxsoftras.reconstruction.evaluation_run.evaluate`.
"""

import os
import signal


def _end(number: int, _) -> None:
    """Ends the program while it still imports JAX, which takes seconds."""
    os.write(2, b"eval.py: interrupted.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _end)

    from jaxsoftras import __main__ as program
    from jaxsoftras import terminal

    terminal.leave(lambda: program.run_command("eval", None, prog="eval.py"))
