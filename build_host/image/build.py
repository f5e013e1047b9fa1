"""One image, from the recipe to the file that a card is flashed with."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from build_host.image.contents import contents_of, write_contents
from build_host.image.debian import copy_root, debian_root
from build_host.image.disk import (
    SELECTOR,
    boot_files,
    make_card,
    make_erofs,
    make_fat,
    selector_files,
)
from build_host.image.kernel_module import install_module
from build_host.image.layout import SLOT_A
from build_host.image.program import commit, commit_time, download_wheels, install_program
from build_host.image.recipe import load_recipe
from build_host.image.system import install_system
from build_host.image.tools import Tools, cache_folder
from build_host.image.update import make_update
from build_host.image.update_key import certificate_of, ensure_update_key
from device import __version__


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """What to build.

    Attributes
    ----------
    work
        Folder for all that is made on the way; what of an earlier build lies in it is replaced.
    settings
        The instrument's settings, for the card's first partition.
    key
        That updates are signed with; the image trusts the certificate beside it.
    version
        Of the image.
    """

    work: Path
    settings: Path
    key: Path
    version: str = __version__


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What was built: the system, the raw image of a card, and the update to the same system."""

    root: Path
    card: Path
    update: Path
    released: date


def build_image(build: Build, tools: Tools, say: Callable[[str], None]) -> Built:
    """Build the image of a card, and the update that brings an older one to the same system.

    Parameters
    ----------
    tools
        That make it.
    say
        Told what is done.

    Raises
    ------
    device.errors.DermascopeError
        If anything that it needs is missing or fails.
    """
    recipe, work = load_recipe(), build.work
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or commit_time())
    work.mkdir(parents=True, exist_ok=True)
    cache = cache_folder()
    ensure_update_key(build.key)
    say("Debian's packages (a quarter of an hour, once for each list of packages)")
    debian = debian_root(recipe, cache, tools)
    say("Wheels")
    wheels = download_wheels(cache)
    say("The program and its system")
    root = work / "root"
    copy_root(debian, root)
    install_program(root, wheels, tools)
    install_module(root, recipe, cache, tools)
    install_system(root, recipe, certificate_of(build.key), tools, epoch)
    built = datetime.fromtimestamp(epoch, UTC)
    write_contents(
        root,
        contents_of(
            root,
            version=build.version,
            commit=commit(),
            built=built.isoformat(),
            compatible=recipe.compatible,
        ),
    )
    say("Partitions")
    sizes = recipe.partitions
    selector = selector_files(root, work, build.settings)
    boot = boot_files(root, work, SLOT_A, epoch)
    make_fat(work / SELECTOR, selector, sizes.selector, "DERMASCOPE", tools, epoch)
    make_fat(work / "boot-a.vfat", boot, sizes.boot, "DERMABOOT", tools, epoch)
    make_fat(work / "boot-b.vfat", {}, sizes.boot, "DERMABOOT", tools, epoch)
    # They lie on the boot partition.
    for path in (root / "boot").iterdir():
        if path.is_file():
            path.unlink()
    shutil.rmtree(root / "usr/lib/raspi-firmware")
    make_erofs(root, work / "root.erofs", tools, epoch, commit())
    say("The card")
    card = make_card(work, sizes, tools)
    say("The update")
    update = work / "dermascope-update.raucb"
    make_update(
        work / "root.erofs",
        work / "boot-a.vfat",
        update,
        build.key,
        recipe.compatible,
        build.version,
        tools,
    )
    return Built(root=root, card=card, update=update, released=built.date())
