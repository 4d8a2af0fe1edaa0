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
    """A recipe or an override is malformed."""


class DataError(TrainerError):
    """Images, labels or lists are missing or wrong."""


class ResumeError(TrainerError):
    """The run folder holds another run, or files that no run left."""


class OutputError(TrainerError):
    """A folder or a file cannot be written."""


class TrainingError(TrainerError):
    """The training itself cannot go on."""
