"""What a bundle's maker says of it beside the manifest, signed like it.

For whom it is, what it answers to fixed pictures, and further files: what was made of the same
network for other hardware. A bundle's folder need not have it; an archive must, to be installed.
"""

from typing import Annotated, Final

import msgspec

from device.models.network_spec import Name, Sha256

RELEASE_FILE: Final = "release.json"
RELEASE_SIGNATURE_FILE: Final = "release.sig"
LIMIT: Final = 1 << 20

FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
Logits = Annotated[list[int], msgspec.Meta(min_length=7, max_length=7)]


class Release(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a bundle's maker says of it.

    Attributes
    ----------
    manifest_sha256
        Of the manifest that it is about: it cannot be put beside another.
    device_classes
        Kinds of device that the bundle is for, as an integrator names them in the setting
        `device_class`; empty for every kind.
    known_answers
        By a network's SHA-256, its logits for `device.inference.known_answers.known_pictures`, as
        the tensor holds them.
    compiled
        By a network's SHA-256, the file that the Edge TPU's compiler made of it.
    files
        SHA-256 of each of those files.
    """

    manifest_sha256: Sha256
    device_classes: tuple[Name, ...] = ()
    known_answers: dict[Sha256, list[Logits]] = {}
    compiled: dict[Sha256, FileName] = {}
    files: dict[FileName, Sha256] = {}

    def __post_init__(self) -> None:
        if not set(self.compiled.values()) <= set(self.files):
            raise ValueError("compiled names a file that files does not")
