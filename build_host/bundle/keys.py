"""A signing key that takes the place of another, and the lists that tell devices so."""

import time
from collections.abc import Sequence
from pathlib import Path

from build_host.bundle.sign import create_key, public_key, read_key
from build_host.files import write_file
from device.errors import BundleError
from device.models.trust import KeyList, sign_key_list


def rotate_key(path: Path, out: Path, revoke: Sequence[str] = ()) -> tuple[str, Path]:
    """Make a new key in the place of the one in use, and write the list that makes it trusted.

    The list is signed by the old key, which stays trusted until a later list, signed by the new
    one, revokes it: devices that have not heard of the new key must still accept bundles.

    Parameters
    ----------
    path
        Of the key in use.
    out
        Where the list is written.
    revoke
        Public keys that are trusted no more.

    Returns
    -------
    str
        The new public key.
    Path
        Where the old private key lies now.

    Raises
    ------
    device.errors.BundleError
        If there is no key, or a list at `out` that devices may need.
    """
    old = read_key(path)
    _check_no_list(out)
    kept = path.with_name(f"{path.name}.{public_key(old)[:8]}")
    if kept.exists():
        raise BundleError(f"{kept}: there is a key already; move it elsewhere first")
    fresh = path.with_name(f"{path.name}.new")
    new = create_key(fresh)
    write_file(out, sign_key_list(KeyList(serial=_serial(), add=(new,), revoke=tuple(revoke)), old))
    path.rename(kept)
    fresh.rename(path)
    return new, kept


def revoke_keys(path: Path, out: Path, revoke: Sequence[str]) -> None:
    """Write a list that revokes keys, signed by the one in use.

    Raises
    ------
    device.errors.BundleError
        If there is no key, it would revoke itself, or there is a list at `out` that devices may
        need.
    """
    key = read_key(path)
    if public_key(key) in revoke:
        raise BundleError(f"{path}: a key cannot revoke itself; sign the list with another")
    _check_no_list(out)
    write_file(out, sign_key_list(KeyList(serial=_serial(), revoke=tuple(revoke)), key))


def _check_no_list(out: Path) -> None:
    """Refuse to overwrite a list: a device that missed it does not know the key of the next."""
    if out.exists() or out.is_symlink():
        raise BundleError(
            f"{out}: there is a list of keys already, and devices that have not followed it refuse "
            "the next; keep it, and name another file with --out"
        )


def _serial() -> int:
    """Return a number above that of any list before: seconds since 1970."""
    return int(time.time())
