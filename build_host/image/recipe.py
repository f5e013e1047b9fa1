"""What an image is made of, as one typed value: ``recipe.toml`` beside the ``overlay/``."""

import hashlib
from pathlib import Path
from typing import Annotated, Final

import msgspec

from device.platform.toml_file import read_toml

FOLDER: Final = Path(__file__).parent
OVERLAY: Final = FOLDER / "overlay"
INITRAMFS: Final = "etc/initramfs-tools"
"""The part of the overlay that the packages are installed with: the initramfs is made of it."""

ARCHITECTURE: Final = "arm64"

Mebibytes = Annotated[int, msgspec.Meta(ge=1)]


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Units of systemd that are started with the machine, are not, and cannot be."""

    enabled: tuple[str, ...]
    disabled: tuple[str, ...]
    masked: tuple[str, ...]


class Partitions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sizes in MiB.

    Attributes
    ----------
    selector
        The first, FAT: where the firmware looks which of two systems to start, and where the
        settings lie.
    boot
        Each of the two that hold a kernel, FAT.
    root
        Each of the two that hold a system, read-only.
    data
        What is kept, until it has grown to the end of the card.
    """

    selector: Mebibytes
    boot: Mebibytes
    root: Mebibytes
    data: Mebibytes


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an image is made of.

    Attributes
    ----------
    compatible
        Names the kind of machine: an update for another kind is refused.
    suite, components, archives
        Debian's release, and where its packages come from.
    packages
        Debian packages; what they need comes with them, what they recommend does not.
    units
        Which units are started.
    partitions
        How large each part of the card is.
    """

    compatible: str
    suite: str
    components: tuple[str, ...]
    archives: tuple[str, ...]
    packages: tuple[str, ...]
    units: Units
    partitions: Partitions


def load_recipe(path: Path = FOLDER / "recipe.toml") -> Recipe:
    """Return the recipe.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing, or holds an unknown or impossible setting.
    """
    return read_toml(path, Recipe)


def root_key(recipe: Recipe, overlay: Path = OVERLAY) -> str:
    """Return a name for the root that the packages make: another where they are others.

    Returns
    -------
    str
        The first 16 hexadecimal digits of a SHA-256.
    """
    digest = hashlib.sha256()
    for value in (recipe.suite, recipe.components, recipe.archives, sorted(recipe.packages)):
        digest.update(msgspec.json.encode(value))
    for path in sorted((overlay / INITRAMFS).rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(overlay)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
