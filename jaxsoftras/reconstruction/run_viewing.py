"""Steps through the objects of a run in the viewer, and follows its training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from jaxsoftras import config, data
from jaxsoftras.reconstruction import (
    evaluation_run,
    evaluation_scores,
    gallery,
    run_folder,
    showcase,
)
from jaxsoftras.reconstruction.following import Follower
from jaxsoftras.reconstruction.viewed_objects import (
    Objects,
    Place,
    Reconstructor,
    make_exhibit,
)
from jaxsoftras.viewer.file_list import Signature, sign
from jaxsoftras.viewer.stepping import Stepper
from jaxsoftras.viewer.worker import Worker

if TYPE_CHECKING:
    from jaxsoftras.viewer.page import Page

_RANKS = {"best": "Best", "median": "Median", "worst": "Worst"}
_WHICH = {None: "the newest checkpoint", "best": "the best validation"}
_KEYS: dict[str, Any] = {"best": "1", "median": "2", "worst": "3"}


class Run(NamedTuple):
    """A run to view.

    Attributes:
        workdir: the run folder.
        settings: its configuration, with the folder of the data.
        meshes: folder of the meshes that the data set was built from.
    """

    workdir: Path
    settings: config.Config
    meshes: Path | None


def open_run(workdir: Path, root: str | None, meshes: Path | None) -> Run:
    """Reads the configuration of a run.

    Args:
        workdir: the run folder.
        root: folder of the data set, if it has moved.
        meshes: folder of the meshes that the data set was built from.

    Raises:
        RunError: not a run folder.
        ConfigError: a damaged configuration.
    """
    settings = run_folder.read_config(workdir)
    if root is not None:
        settings = config.override(settings, [f"data.root={root!r}", "data.sources=()"])
    return Run(workdir, settings, meshes)


class RunViewer:
    """Shows one object of a split at a time, with the checkpoint that is followed.

    All methods but the first are for the thread of the worker.
    """

    def __init__(
        self,
        page: Page,
        worker: Worker,
        run: Run,
        split: str,
        which: int | Literal["best"] | None,
    ):
        """Makes the controls.

        Args:
            page: where to show objects.
            worker: whose thread reconstructs.
            run: the run.
            split: name of the split to begin with.
            which: checkpoint to follow; see `Follower`.
        """
        self._page, self._worker, self._run, self._which = page, worker, run, which
        self._follower = Follower(run.workdir, which)
        self._reconstructor: Reconstructor | None = None
        self._scores: evaluation_scores.Scores | None = None
        self._scores_sign: Signature = None
        self._problem = ""  # of the evaluation
        self._name = split
        self._make_controls(split)

    def _make_controls(self, split: str) -> None:
        gui = self._page.gui
        names = data.SPLITS if split in data.SPLITS else data.ALL_SPLITS
        self._split = gui.add_dropdown("Split", names, initial_value=split, order=10)
        self._category = gui.add_dropdown("Category", [""], order=11, visible=False)
        self._objects_control = Stepper(gui, "Object", self._ask_object, order=12)
        self._ranks = gui.add_button_group(
            "Show the", list(_RANKS.values()), order=13, visible=False
        )
        self._view = gui.add_slider(
            "View", min=1, max=2, step=1, initial_value=1, order=14, visible=False
        )
        self._split.on_update(self._ask_split)
        self._category.on_update(self._ask_category)
        self._view.on_update(self._ask_view)
        self._ranks.on_click(lambda event: self._ask_rank(event.target.value.lower()))
        for rank, key in _KEYS.items():
            command = gui.add_command(f"{_RANKS[rank]} object", hotkey=key)
            command.on_trigger(lambda _, rank=rank: self._ask_rank(rank))

    def begin(self) -> None:
        """Opens the split, loads the checkpoint if there is one, and shows an object.

        Raises:
            ConfigError, RunError, ValueError, OSError: the split or the checkpoint
                cannot be opened.
        """
        self._page.say(f"Opening the split {self._name} …")
        self._open(self._name)
        self._page.say("Loading the checkpoint and compiling …")
        self._follow()
        self._show()

    def look(self) -> None:
        """Shows the object anew if there is another checkpoint or evaluation."""
        changed = [self._follow(), self._read_scores()]
        if any(changed):
            self._show()

    def _follow(self) -> bool:
        """Takes another checkpoint, if there is one."""
        trained = self._follower.poll()
        if trained is None:
            return False
        if trained.config.model.image_size != self._objects.split.image_size:
            raise run_folder.RunError(
                f"{self._run.workdir} holds a run of another image size than when the "
                "viewer began: start it again."
            )
        if self._reconstructor is None or not self._reconstructor.update(trained):
            self._reconstructor = Reconstructor(trained)
        return True

    def _read_scores(self) -> bool:
        """Reads the scores of an evaluation anew, if they have changed."""
        folder = self._run.workdir / evaluation_run.FOLDER / self._name
        found = sign(folder / evaluation_scores.FILE)
        if found == self._scores_sign:
            return False
        self._scores, self._scores_sign, self._problem = None, found, ""
        if found is not None:
            try:
                scores = evaluation_scores.load(folder / evaluation_scores.FILE)
                self._scores = scores if self._objects.has_scores(scores) else None
            except (run_folder.RunError, ValueError, OSError) as error:
                self._problem = str(error)
        self._ranks.visible = self._scores is not None
        return True

    def _open(self, name: str) -> None:
        """Opens a split, and chooses its first object."""
        self._objects = Objects(self._run.settings, name, self._run.meshes)
        self._name, self._scores_sign = name, None
        self._scores, self._problem = None, ""
        split = self._objects.split
        self._labels = _label_categories(split)
        self._category.options = list(self._labels)
        self._category.visible = len(self._labels) > 1
        self._place = self._find_place(split.categories[0], 0)
        self._ranks.visible = False
        self._read_scores()

    def _find_place(self, category: str, number: int) -> Place:
        """Place of an object, with the view that the gallery shows."""
        count = int(self._objects.split.view_counts(category)[number])
        return Place(category, number, gallery.INPUT_VIEW * count // gallery.VIEWS)

    def _show(self) -> None:
        """Shows the object that is chosen."""
        split, place = self._objects.split, self._place
        views = int(split.view_counts(place.category)[place.number])
        label = next(k for k, key in self._labels.items() if key == place.category)
        self._category.value = label
        self._split.value = self._name
        self._objects_control.set(
            place.number,
            split.count(place.category),
            beyond=len(split.categories) > 1,
        )
        self._view.visible = views > 1
        if views > 1:
            self._view.max = max(views, self._view.value)
            self._view.value = place.view + 1
            self._view.max = views
        self._page.show(
            make_exhibit(self._objects, place, self._reconstructor, self._scores)
        )
        if self._problem:
            self._page.report(self._problem)
        else:
            self._page.say(self._describe_checkpoint())

    def _describe_checkpoint(self) -> str:
        """Says which checkpoint is shown."""
        if self._reconstructor is None:
            wanted = "one with a validation" if self._which == "best" else "the first"
            return f"No checkpoint yet: waiting for {wanted}."
        trained = self._reconstructor.trained
        which = f", {_WHICH[self._which]}" if self._which in _WHICH else ""
        return f"Step {trained.step:,} of {trained.config.optim.steps:,}{which}"

    def _move(self, place: Place) -> None:
        self._place = place
        self._show()

    def _ask_split(self, event: Any) -> None:
        name = event.target.value
        if event.client is not None and name in data.ALL_SPLITS:
            self._worker.request("split", lambda: self._change_split(name))

    def _change_split(self, name: str) -> None:
        """Opens another split; stays with the one before if it cannot be opened."""
        before = self._name
        self._page.say(f"Opening the split {name} …")
        try:
            self._open(name)
        except Exception:
            self._split.value = before
            raise
        self._show()

    def _ask_category(self, event: Any) -> None:
        label = event.target.value
        if event.client is not None and isinstance(label, str):
            self._worker.request("object", lambda: self._change_category(label))

    def _change_category(self, label: str) -> None:
        if label in self._labels:
            self._move(self._find_place(self._labels[label], 0))

    def _ask_object(self, number: int) -> None:
        self._worker.request("object", lambda: self._change_object(number))

    def _change_object(self, number: int) -> None:
        """Shows another object; those behind the last are of the next category."""
        split, category = self._objects.split, self._place.category
        if not 0 <= number < split.count(category):
            keys = split.categories
            step = -1 if number < 0 else 1
            category = keys[(keys.index(category) + step) % len(keys)]
            number = split.count(category) - 1 if number < 0 else 0
        self._move(self._find_place(category, number))

    def _ask_view(self, event: Any) -> None:
        number = event.target.value - 1
        if event.client is not None:
            self._worker.request("view", lambda: self._change_view(number))

    def _change_view(self, number: float) -> None:
        """Shows another view; a browser may send any number."""
        place = self._place
        count = self._objects.split.view_counts(place.category)[place.number]
        if 0 <= number < count:
            self._move(place._replace(view=int(number)))

    def _ask_rank(self, rank: str) -> None:
        self._worker.request("object", lambda: self._change_rank(rank))

    def _change_rank(self, rank: str) -> None:
        """Shows the best, the median or the worst object of the category."""
        if self._scores is None:
            self._page.report("There is no evaluation of this split to rank by.")
            return
        category = self._place.category
        for choice in showcase.choose(self._scores, category):
            if choice.rank == rank:
                self._move(self._find_place(category, choice.number))
                return
        self._page.report(f"The evaluation ranks no object as the {rank}.")


def _label_categories(split: data.Split) -> dict[str, str]:
    """Keys of the categories by label: the name, with the key if others have it too."""
    names = list(split.names.values())
    return {
        name if names.count(name) == 1 else f"{name} ({key})": key
        for key, name in split.names.items()
    }
