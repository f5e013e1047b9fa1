"""Which keys a device trusts: those of its settings, and what signed lists add and revoke.

A list is signed by a key that is trusted, and counts up: an old one cannot be played back. A key
that was revoked stays so.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from device.config import PublicKey
from device.errors import BundleError
from device.language import translatable
from device.platform.durable_files import write_atomically
from device.platform.regular_files import read_regular_file
from device.text import printable_path

KEY_LIST_FILE: Final = "keys.json"
"""Its name in an archive, and in a bundle's folder."""

_FOLDER: Final = "keys"
_LIMIT: Final = 64 << 10
_MODE: Final = 0o644
_PURPOSE: Final = "dermascope key list"

NOT_UNDERSTOOD: Final = translatable("the list of keys cannot be understood")
ASK_THE_MAKER: Final = translatable("ask whoever made the list")

_log = logging.getLogger(__name__)

Signature = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]


class KeyList(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What changes about the keys.

    Attributes
    ----------
    serial
        Counts up with every list.
    add, revoke
        Public keys (Ed25519, hexadecimal).
    purpose
        So that the signature of nothing else can be taken for one of a list.
    """

    serial: Annotated[int, msgspec.Meta(ge=1)]
    add: tuple[PublicKey, ...] = ()
    revoke: tuple[PublicKey, ...] = ()
    purpose: str = _PURPOSE


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    statement: str
    signed_by: PublicKey
    signature: Signature


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys that hold at this moment.

    Attributes
    ----------
    keys
        Whose bundles this device runs.
    revoked
        Whose it does not run any more.
    serial
        Of the last list; 0 where there was none.
    """

    keys: tuple[str, ...]
    revoked: frozenset[str] = frozenset()
    serial: int = 0


def sign_key_list(keys: KeyList, key: Ed25519PrivateKey) -> bytes:
    """Return a list as its file holds it."""
    statement = msgspec.json.encode(keys)
    public = key.public_key().public_bytes_raw().hex()
    signed = _Signed(statement.decode(), public, key.sign(statement).hex())
    return msgspec.json.format(msgspec.json.encode(signed)) + b"\n"


def followed(trust: Trust, content: bytes) -> Trust:
    """Return the trust that holds after a list.

    Raises
    ------
    device.errors.BundleError
        If it is no list, not signed by a key that is trusted, older than the last one, or would
        leave no key.
    """
    try:
        signed = msgspec.json.decode(content, type=_Signed)
        if signed.signed_by in trust.revoked:
            raise BundleError(
                "the list of keys is signed by a key that was revoked", action=ASK_THE_MAKER
            )
        if signed.signed_by not in trust.keys:
            raise BundleError(
                "the list of keys is signed by a key that this device does not trust",
                action=ASK_THE_MAKER,
            )
        statement = signed.statement.encode()
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed.signed_by))
        public.verify(bytes.fromhex(signed.signature), statement)
        keys = msgspec.json.decode(statement, type=KeyList)
    except InvalidSignature:
        raise BundleError(
            "the list of keys was altered: its signature does not hold", action=ASK_THE_MAKER
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BundleError(NOT_UNDERSTOOD, action=ASK_THE_MAKER) from None
    if keys.purpose != _PURPOSE:
        raise BundleError(NOT_UNDERSTOOD, action=ASK_THE_MAKER)
    if keys.serial <= trust.serial:
        raise BundleError(
            "the list of keys is number {number}, and number {followed} is followed already",
            action=translatable("take a newer one"),
            number=keys.serial,
            followed=trust.serial,
        )
    revoked = trust.revoked.union(keys.revoke)
    after = tuple(key for key in dict.fromkeys((*trust.keys, *keys.add)) if key not in revoked)
    if not after:
        raise BundleError(
            "the list of keys would leave no key that is trusted", action=ASK_THE_MAKER
        )
    return Trust(after, revoked, keys.serial)


def trust_of(settings: Iterable[str], folder: Path) -> Trust:
    """Return the keys of the settings, changed as the lists that were accepted say.

    Parameters
    ----------
    folder
        Where installed models are kept (`device.models.installed`).
    """
    trust = Trust(tuple(settings))
    for path in sorted((folder / _FOLDER).glob("*.json")):
        try:
            trust = followed(trust, read_regular_file(path, _LIMIT))
        except (OSError, BundleError) as error:
            # It was right when it was accepted. Settings that lost its key are a person's choice.
            _log.warning("a list of keys is passed over (%s)", type(error).__name__)
    return trust


def read_key_list(path: Path) -> bytes:
    """Return the content of a list's file.

    Raises
    ------
    device.errors.BundleError
        If it cannot be read.
    """
    try:
        return read_regular_file(path, _LIMIT)
    except OSError as error:
        raise BundleError(
            "the list of keys cannot be read",
            action=translatable("copy it again"),
            where=printable_path(path),
            detail=error.strerror or str(error),
        ) from None


def keep_key_list(folder: Path, content: bytes, trust: Trust) -> None:
    """Keep a list that was accepted.

    Parameters
    ----------
    trust
        What holds after it.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    write_atomically(folder / _FOLDER / f"{trust.serial:08}.json", content, _MODE)
