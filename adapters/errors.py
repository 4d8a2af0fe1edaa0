"""Everything that this project raises on purpose, as one tree; the clients' errors are their own.

SptError
├── TaskNotFound          no adapter is published under this task id
├── VersionNotFound       the task exists, this version of it does not
├── ArtifactCorrupt       the bytes are not a whole artifact
├── ArtifactMismatch      a whole artifact, made for something else, or out of all bounds
├── SignatureInvalid      no trusted key has signed this artifact for its task
├── KeyFileInvalid        the file of a signing key or a trusted key cannot be used
├── BackboneUnsupported   a ViT that cannot carry prompts, or unknown
├── WeightsError          a checkpoint is missing, unreadable or does not fit its architecture
├── PublishConflict       somebody else published in between
├── StoreUnavailable      the store cannot be read or written
├── BadImage              the bytes are not an image that we take
│   └── ImageTooLarge     they are, but it has too many bytes, pixels or scans
├── the trainer's         trainer/errors.py
└── the service's         serving/errors.py
"""


class SptError(Exception):
    """Root of every error that this project raises on purpose, but the clients'."""


class TaskNotFound(SptError):
    """No adapter is published under this task id."""


class VersionNotFound(SptError):
    """The task exists, this version of it does not."""


class ArtifactCorrupt(SptError):
    """The bytes are not a whole artifact."""


class ArtifactMismatch(SptError):
    """A whole artifact, made for another backbone, shapes or pixels, or beyond our bounds."""


class SignatureInvalid(SptError):
    """No trusted key has signed this artifact for its task, or what should say so is damaged."""


class KeyFileInvalid(SptError):
    """The file of a signing key or a trusted key is missing, unsafe or of another kind."""


class BackboneUnsupported(SptError):
    """The named model is unknown, cannot carry prompts, or not be used as it was asked for."""


class WeightsError(SptError):
    """A checkpoint is missing, unreadable or does not fit its architecture."""


class PublishConflict(SptError):
    """Somebody else changed the task's current version in between."""


class StoreUnavailable(SptError):
    """The store cannot be read or written."""


class BadImage(SptError):
    """The bytes are not an image that we take."""


class ImageTooLarge(BadImage):
    """The image has more bytes, pixels or scans than the limit."""
