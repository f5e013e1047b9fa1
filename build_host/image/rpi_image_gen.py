"""The same instrument as a layer of rpi-image-gen, Raspberry Pi's own builder of images.

Packages, units and files are those of the recipe. Kernel, firmware, partitions and updates are
rpi-image-gen's: its layout ``image-rota`` has two systems and starts the new one for a trial.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from build_host.files import write_file
from build_host.image.program import PREFIX, TREE
from build_host.image.recipe import OVERLAY, Recipe
from build_host.image.system import place_of

LAYER: Final = "layer/dermascope.yaml"
CONFIG: Final = "config/dermascope.yaml"
FILES: Final = "layer/dermascope.d/customize.overlay"
"""rpi-image-gen lays this folder into the root, before the layer's hooks."""

_THEIRS: Final = frozenset(
    {"firmware-brcm80211", "initramfs-tools", "linux-image-arm64", "raspi-firmware"}
    | {"cryptsetup-bin", "dmsetup", "rauc", "rauc-service"}
)
_LEFT_OUT: Final = ("data", "confirm", "selector", "slot", "update", "offer@", "card.sh")
"""Scripts for a card that is divided as ours is."""

_SHARED: Final = """\
# Examinations outlive an update of the system.
Version=1
Path=/var/lib/dermascope
"""


def layer_files(recipe: Recipe) -> dict[str, str]:
    """Return the layer and its configuration, by their path in rpi-image-gen's source folder."""
    packages = [name for name in sorted(recipe.packages) if name not in _THEIRS]
    units = [unit for unit in recipe.units.enabled if _has_place(unit)]
    layer = [
        "# METABEGIN",
        "# X-Env-Layer-Name: dermascope",
        "# X-Env-Layer-Version: 1.0.0",
        "# X-Env-Layer-Category: app",
        "# X-Env-Layer-Desc: An instrument that analyzes dermoscopic images by itself",
        "# X-Env-Layer-Requires: systemd-net-min,systemd-timesyncd",
        "# METAEND",
        "---",
        "mmdebstrap:",
        "  packages:",
        *(f"    - {name}" for name in packages),
        "  customize-hooks:",
        "    - chroot $1 systemd-sysusers",
        *(f"    - systemctl --root=$1 enable {unit}" for unit in units),
        *(f"    - systemctl --root=$1 disable {unit}" for unit in recipe.units.disabled),
        *(f"    - systemctl --root=$1 mask {unit}" for unit in recipe.units.masked),
    ]
    sizes = recipe.partitions
    config = [
        "include:",
        "  file: trixie-minbase-ab.yaml",
        "image:",
        "  name: dermascope",
        f"  boot_part_size: {sizes.boot}M",
        f"  system_part_size: {sizes.root}M",
        "layer:",
        "  app: dermascope",
    ]
    return {LAYER: "\n".join((*layer, "")), CONFIG: "\n".join((*config, ""))}


def write_layer(recipe: Recipe, program: Path, folder: Path) -> None:
    """Write the source folder that ``rpi-image-gen build -S`` is given.

    Parameters
    ----------
    program
        A root that the program was installed into.
    """
    _write(layer_files(recipe), folder)
    files = folder / FILES
    shutil.rmtree(files, ignore_errors=True)
    shutil.copytree(program / PREFIX, files / PREFIX, symlinks=True)
    for path in sorted(OVERLAY.rglob("*")):
        name = path.relative_to(OVERLAY)
        if not path.is_dir() and _has_place(path.name) and name.parts[1] != "initramfs-tools":
            (files / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, files / name, follow_symlinks=False)
    for path in sorted((TREE / "systemd").iterdir()):
        place = files / place_of(path.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    _write({"etc/rpi-image-gen/slot-shared.d/dermascope.conf": _SHARED}, files)


def _write(files: Mapping[str, str], folder: Path) -> None:
    for name, text in files.items():
        write_file(folder / name, text.encode())


def _has_place(name: str) -> bool:
    """Return whether a unit or script does not need the card to be divided as ours is."""
    stem = name.removeprefix("dermascope-").removesuffix(".service").removesuffix(".path")
    return stem not in _LEFT_OUT
