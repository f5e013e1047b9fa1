"""Installing a model, and taking it back.

A new bundle is unpacked beside the others, verified, and tried in a process of its own. Then one
small file is replaced, and the next start uses it, on trial. Power that fails leaves the old model
or the new one. A model that fails, or whose instrument is started again and again, is taken back.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.config import Config
from device.errors import BundleError
from device.inference.trial import Trial, try_bundle
from device.installation.keys import follow_key_list_in
from device.installation.lock import locked
from device.language import translatable
from device.models.archive import MOST_BYTES, unpack
from device.models.bundle import MANIFEST_FILE, SIGNATURE_FILE, Bundle
from device.models.chosen import check_installed_is_used, open_bundle
from device.models.installed import (
    Entry,
    Event,
    Installed,
    models_folder,
    noted,
    read_installed,
    switched,
    write_installed,
)
from device.models.manifest import Manifest
from device.models.release import RELEASE_FILE, RELEASE_SIGNATURE_FILE
from device.platform.clock import Clock
from device.platform.durable_files import fsync_file, fsync_folder
from device.text import printable_path

FREE_SPACE: Final = translatable("free space on it, and install the model again")

_INCOMING: Final = ".incoming"
_SPARE_BYTES: Final = 16 << 20
_FILE: Final = 0o644
_FOLDER: Final = 0o755
_MOST_FILES: Final = 32

Try = Callable[[Path, Sequence[str], int], Trial]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was installed.

    Attributes
    ----------
    model
        Name and version.
    trial
        What was measured on this device; None where it is installed already.
    """

    model: str
    trial: Trial | None


def install_model(
    source: Path,
    config: Config,
    state: Path,
    clock: Clock,
    *,
    downgrade: bool = False,
    attempt: Try = try_bundle,
) -> Outcome:
    """Verify a bundle, try it on this device, and put it in the place of the one in use.

    Parameters
    ----------
    source
        A ``.dermascope`` archive, or a bundle's folder.
    state
        The state folder, in which models are kept.
    clock
        That the history is written by.
    downgrade
        Also install an older version than that in use.
    attempt
        Tries it.

    Raises
    ------
    device.errors.BundleError
        If it is not trusted, damaged, for another kind of device, older, or fails its trial; or if
        there is no room. What is in use stays so.
    """
    check_installed_is_used(config)
    folder = models_folder(state)
    try:
        with locked(folder):
            return _install(source, config, state, clock, downgrade, attempt)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BundleError("the disk is full", action=FREE_SPACE) from None
        raise BundleError(
            "a file cannot be read or written",
            action=translatable("copy it again, or check that the disk can be written"),
            where=printable_path(error.filename or source),
            detail=error.strerror or str(error),
        ) from None


def _install(
    source: Path, config: Config, state: Path, clock: Clock, downgrade: bool, attempt: Try
) -> Outcome:
    folder = models_folder(state)
    staged = folder / _INCOMING
    # Of an attempt that power ended.
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    try:
        _stage(source, staged)
        used = _model_in_use(config, state)
        trust = follow_key_list_in(staged, config, folder, used)
        bundle = open_bundle(config, staged, state)
        if bundle.release is None and (config.device_class or not source.is_dir()):
            raise _without_release(source)
        installed = read_installed(folder)
        if used and installed.current and _digest(used.folder) == _digest(staged):
            return Outcome(bundle.manifest.model_id, None)
        if used and not downgrade:
            _refuse_older(bundle.manifest, used.manifest)
        name = _folder_name(bundle, installed)
        model = bundle.manifest.model_id
        try:
            trial = attempt(staged, trust.keys, config.threads)
        except BundleError as error:
            refused = Entry(
                at=clock.now(), event=Event.REFUSED, model=model, folder=name, reason=str(error)
            )
            write_installed(folder, noted(installed, refused))
            raise
        _settle(staged, folder / name)
        entry = Entry(at=clock.now(), event=Event.INSTALLED, model=model, folder=name)
        write_installed(folder, switched(installed, name, entry, opens=used is not None))
        _prune(folder, read_installed(folder))
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Outcome(model, trial)


def _stage(source: Path, staged: Path) -> None:
    if source.is_dir():
        _check_room(staged, sum(path.stat().st_size for path in _files(source)))
        for path in _files(source):
            shutil.copyfile(path, staged / path.name)
        return
    try:
        size = source.stat().st_size
    except FileNotFoundError:
        raise BundleError(
            "there is no such file or folder",
            action=translatable("plug the stick in again, or name another"),
            where=printable_path(source),
        ) from None
    # Of a larger one it is told that it is no bundle, not that there is no room for it.
    _check_room(staged, min(size, MOST_BYTES))
    unpack(source, staged)


def _files(folder: Path) -> list[Path]:
    """Return the plain files of a bundle's folder; a link may lead anywhere."""
    found = [p for p in sorted(folder.iterdir()) if p.is_file() and not p.is_symlink()]
    if len(found) > _MOST_FILES:
        raise BundleError(
            "the folder holds more files than a bundle has",
            action=translatable("name the bundle's own folder"),
            where=printable_path(folder),
        )
    return found


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        raise BundleError(
            "the model needs {needed} MiB, and {free} MiB are free on the disk",
            action=FREE_SPACE,
            needed=_mebibytes(size + _SPARE_BYTES),
            free=_mebibytes(free),
        )


def _mebibytes(size: int) -> int:
    return -(-size // (1 << 20))


def _without_release(source: Path) -> BundleError:
    """Return why a bundle is refused of which nobody knows for which devices it is.

    The manifest does not say so: whoever took the release away would install it on every kind of
    device, and untried against its known answers. Every archive has one since there are archives. A
    folder may lack it, as those that ship do, where the settings name no class.
    """
    return BundleError(
        "the bundle does not say for which devices it is ({file} is missing)",
        action=translatable("take the archive as dermascope-build wrote it"),
        where=printable_path(source),
        file=RELEASE_FILE,
    )


def _model_in_use(config: Config, state: Path) -> Bundle | None:
    """Return the model in use; None where it is damaged or not trusted any more."""
    try:
        return open_bundle(config, state=state)
    except BundleError:
        return None


def _folder_name(bundle: Bundle, installed: Installed) -> str:
    """Return a name that is another for every other content: of one number there may be two.

    Neither the model in use nor the one before has it. They may be damaged and are not touched:
    power may fail before the switch.
    """
    name = f"{bundle.manifest.name}-{bundle.manifest.version}-{_digest(bundle.folder)}"
    taken = {installed.current, installed.previous}
    return next(free for free in (name, f"{name}.2", f"{name}.3") if free not in taken)


def _digest(folder: Path) -> str:
    """Return what tells a verified bundle from every other, its signatures included.

    One that another key signed again is another: the key of the first may be revoked.
    """
    parts = []
    for name in (MANIFEST_FILE, SIGNATURE_FILE, RELEASE_FILE, RELEASE_SIGNATURE_FILE):
        path = folder / name
        parts.append(hashlib.sha256(path.read_bytes() if path.exists() else b"").digest())
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def _refuse_older(new: Manifest, old: Manifest) -> None:
    if new.name == old.name and _number(new.version) < _number(old.version):
        raise BundleError(
            "{new} is older than {old}, which is in use",
            action=translatable("say --allow-downgrade if that is meant"),
            new=new.model_id,
            old=old.model_id,
        )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _settle(staged: Path, place: Path) -> None:
    """Put what was staged in its place, where no power failure takes it away."""
    owner = staged.parent.stat()
    for path in (*staged.iterdir(), staged):
        path.chmod(_FOLDER if path == staged else _FILE)
        if os.geteuid() == 0:
            # What root installs is read by the service's own user.
            os.chown(path, owner.st_uid, owner.st_gid)
        if path != staged:
            fsync_file(path)
    fsync_folder(staged)
    # Left behind by a switch that power ended: the same content, perhaps in part.
    shutil.rmtree(place, ignore_errors=True)
    staged.rename(place)
    fsync_folder(place.parent)


def _prune(folder: Path, installed: Installed) -> None:
    """Delete the bundles that are neither in use nor would be after a roll-back."""
    kept = {installed.current, installed.previous}
    for path in folder.iterdir():
        if path.is_dir() and (path / MANIFEST_FILE).exists() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
