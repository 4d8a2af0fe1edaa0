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
    """No adapter is published under this task id.

    Cause: The name is misspelled, nothing is published under it yet, or it is in another store.
    Cure: `spt ls` has the tasks of a store, and `--store` names another one. Else publish the
        task.
    """


class VersionNotFound(SptError):
    """The task exists, this version of it does not.

    Cause: The version was deleted, is of another task, or its first digits fit several
        versions.
    Cure: `spt log TASK` has the versions. Give more of its digits, 64 at most.
    """


class ArtifactCorrupt(SptError):
    """The bytes are not a whole artifact.

    Cause: The file was cut off or changed on its way, or it is something else, such as a
        checkpoint.
    Cure: Copy the file again, or publish it again from the run that made it. `spt verify` reads
        the whole store.
    """


class ArtifactMismatch(SptError):
    """A whole artifact, made for another backbone, shapes or pixels, or beyond our bounds.

    Cause: The adapter was trained on another backbone, image size or read-out than the one that
        serves, or it asks for more than a service allows.
    Cure: Serve its backbone, with `--backbone`, `--weights` and `--image-size` as in the
        training. Or train the task again on yours.
    """


class SignatureInvalid(SptError):
    """No trusted key has signed this artifact for its task, or what should say so is damaged.

    Cause: It was signed by nobody, by a key that is trusted for other tasks, or the signature
        was changed.
    Cure: `spt show TASK` names the keys that have signed. Sign it with `spt sign TASK --key
        KEY`, or trust another key.
    """


class KeyFileInvalid(SptError):
    """The file of a signing key or a trusted key is missing, unsafe or of another kind.

    Cause: The path is wrong, others may read a private key, or the file holds the other half of
        a pair.
    Cure: Check the path. `chmod 600` a private key. `spt keygen` makes a new pair.
    """


class BackboneUnsupported(SptError):
    """The named model is unknown, cannot carry prompts, or not be used as it was asked for.

    Cause: The name is misspelled, timm does not know it, or a part of the model is one that
        prompts do not fit.
    Cure: `spt backbones` has every name that is accepted, and why the others are not.
    """


class WeightsError(SptError):
    """A checkpoint is missing, unreadable or does not fit its architecture.

    Cause: The path is wrong, the hub cannot be reached, or the file is of another architecture.
    Cure: Name the file by `--weights`, and the architecture that it is of by `--backbone`.
    """


class PublishConflict(SptError):
    """Somebody else changed the task's current version in between.

    Cause: Between your look and your change somebody else published, or `--expect` was never
        true.
    Cure: Look again with `spt show TASK`, and decide again. The change was not made.
    """


class StoreUnavailable(SptError):
    """The store cannot be read or written.

    Cause: The folder is not there or not writable, a disk is full, or a network directory or
        Redis hangs.
    Cure: Check `--store`, its rights and its disk. A service goes on with what it knows, and
        may be asked again.
    """


class BadImage(SptError):
    """The bytes are not an image that we take.

    Cause: The file is of another format, such as HEIC, or it is damaged, or it is no image.
    Cure: Send a JPEG, PNG, WebP or binary PPM. Convert others first.
    """


class ImageTooLarge(BadImage):
    """The image has more bytes, pixels or scans than the limit.

    Cause: It has more than `image_limits.max_bytes` or `max_pixels`, more than 100 scans, or
        one side is 50 times the other.
    Cure: Send a smaller one: the backbone sees a few hundred pixels a side. Or raise
        `image_limits`.
    """
