"""What can go wrong before or during training, as one tree.

TrainerError
├── RecipeError     a recipe or an override is malformed
├── DataError       images, labels or lists are missing or wrong
├── ResumeError     the run folder belongs to another run, or to somebody
├── OutputError     a folder or a file cannot be written
└── TrainingError   the training itself cannot go on: a loss that is no number, no memory left
"""

from adapters.errors import SptError


class TrainerError(SptError):
    """Root of every error the trainer raises on purpose."""


class RecipeError(TrainerError):
    """A recipe or an override is malformed.

    Cause: A setting is unknown, has a value outside of its range, or contradicts another one.
    Cure: The message names the setting, and what is allowed. `docs/training.md` has them all.
    """


class DataError(TrainerError):
    """Images, labels or lists are missing or wrong.

    Cause: Files are missing or unreadable, labels have gaps, or the layout is none that is
        known.
    Cure: The message names the file. `spt data check TASK --data FOLDER` finds all faults
        before a training.
    """


class ResumeError(TrainerError):
    """The run folder holds another run, or files that no run left.

    Cause: The folder has a run with other images, settings or weights, or files of somebody
        else.
    Cure: Type the former command to go on, add `--fresh` to start over, or name another folder
        by `--out`.
    """


class OutputError(TrainerError):
    """A folder or a file cannot be written.

    Cause: The folder belongs to another user, a file is in its place, or the disk is full.
    Cure: Make room, or name another folder by `--out`.
    """


class TrainingError(TrainerError):
    """The training itself cannot go on.

    Cause: The loss is no number any more, or memory is used up.
    Cure: Lower `optim.lr`, or set `optim.clip_norm=1`. For memory: `compute.accumulate=4`,
        `compute.checkpoint=true`.
    """
