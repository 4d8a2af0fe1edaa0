"""What can go wrong before or during training, as one tree.

TrainerError
├── RecipeError     a recipe or an override is malformed
├── DataError       images, labels or lists are missing or wrong
└── ResumeError     the run folder belongs to another recipe
"""


class TrainerError(Exception):
    """Root of every error the trainer raises on purpose."""


class RecipeError(TrainerError):
    """A recipe or an override is malformed."""


class DataError(TrainerError):
    """Images, labels or lists are missing or wrong."""


class ResumeError(TrainerError):
    """The run folder holds the state of another recipe."""
