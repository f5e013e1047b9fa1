"""The archive's master key, and what it is locked with: PINs, a key file, or a key beside it.

The master key is random and stays the same; the keyring holds it once for each PIN or key file,
sealed. One derivation serves all PINs (they share its salt): nobody need say whose a PIN is.
The keyring is kept twice, since without it nothing can be read.
"""

import contextlib
import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from device.errors import RecordError
from device.language import translatable
from device.platform.durable_files import write_atomically
from device.platform.regular_files import read_regular_file
from device.records.access import Holder, Protection
from device.records.patients import Label, Role
from device.records.sealing import KEY_BYTES, derive, new_secret, seal, unseal

KEYRING_FILE: Final = "keyring.json"
COPY_FILE: Final = "keyring.copy.json"
KEY_BESIDE: Final = "archive.key"

SHORTEST_PIN: Final = 6
LONGEST_PIN: Final = 256

ANYONE: Final = Holder("instrument", Role.CLINICIAN)
"""Whoever uses an instrument without PINs."""

BY_KEY_FILE: Final = Holder("key file", Role.CLINICIAN)

_LARGEST: Final = 1 << 16
_LARGEST_KEY_FILE: Final = 4096
_SHORTEST_KEY_FILE: Final = 32
_MEMORY_KIB: Final = 64 << 10
_FEWEST_PASSES: Final = 3
_MOST_PASSES: Final = 16
_SECONDS: Final = 1.0


class PinCost(msgspec.Struct, frozen=True):
    """What one try of a PIN costs (argon2id).

    Attributes
    ----------
    passes
        Over the memory.
    memory_kib
        Memory in KiB.
    """

    passes: int = _FEWEST_PASSES
    memory_kib: int = _MEMORY_KIB


def measure_cost(monotonic: Callable[[], float]) -> PinCost:
    """Return the cost at which a try takes about a second on this very machine.

    Never less than RFC 9106 asks for where memory is scarce: 64 MiB, three passes.

    Parameters
    ----------
    monotonic
        Seconds from an arbitrary origin.
    """
    least = PinCost()
    began = monotonic()
    _stretch("measure", secrets.token_bytes(16), least)
    taken = max(1e-3, monotonic() - began)
    passes = round(_FEWEST_PASSES * _SECONDS / taken)
    return PinCost(passes=min(max(_FEWEST_PASSES, passes), _MOST_PASSES))


class PinSlot(msgspec.Struct, frozen=True):
    """The master key as one PIN opens it."""

    name: Label
    role: Role
    sealed: bytes

    @property
    def holder(self) -> Holder:
        """Whose PIN it is."""
        return Holder(self.name, self.role)


class Keyring(msgspec.Struct, frozen=True, kw_only=True):
    """What the master key is locked with.

    Attributes
    ----------
    version
        Of this file.
    archive
        Names the archive: a keyring opens no other.
    number
        Counts changes: an older keyring, put in the place of this one, is refused.
    salt, cost
        Of the PINs' derivation.
    pins
        One for each who has a PIN.
    key_file
        The master key as the integrator's key file opens it.
    beside
        The master key as the key beside the archive opens it.
    mac
        Shows that whoever wrote all this had the master key.
    """

    version: Literal[1] = 1
    archive: str
    number: int = 1
    salt: bytes
    cost: PinCost
    pins: tuple[PinSlot, ...] = ()
    key_file: bytes | None = None
    beside: bytes | None = None
    mac: bytes = b""

    @property
    def protection(self) -> Protection:
        """What opens the archive."""
        if self.pins:
            return Protection.PIN
        return Protection.NOTHING if self.beside is not None else Protection.KEY_FILE


def new_keyring(cost: PinCost) -> Keyring:
    """Return a keyring that holds no key yet."""
    return Keyring(archive=secrets.token_hex(16), salt=secrets.token_bytes(16), cost=cost)


def signed(keyring: Keyring, master: bytes | bytearray) -> Keyring:
    """Return a changed keyring as it is written: with the next number, and its mark."""
    changed = msgspec.structs.replace(keyring, number=keyring.number + 1, mac=b"")
    return msgspec.structs.replace(changed, mac=_mac_of(changed, master))


def is_whole(keyring: Keyring, master: bytes | bytearray) -> bool:
    """Return whether a keyring is as whoever had the master key wrote it."""
    bare = msgspec.structs.replace(keyring, mac=b"")
    return hmac.compare_digest(_mac_of(bare, master), keyring.mac)


def with_pin(keyring: Keyring, master: bytes | bytearray, holder: Holder, pin: str) -> Keyring:
    """Return the keyring with another PIN, and without a key beside the archive.

    Raises
    ------
    device.errors.RecordError
        If the PIN is too short or somebody else's, or no clinician would have one.
    """
    check_pin(pin)
    key = _stretch(pin, keyring.salt, keyring.cost)
    others = tuple(slot for slot in keyring.pins if slot.name != holder.name)
    if any(_opened(keyring, slot, key) is not None for slot in others):
        raise RecordError("this PIN cannot be taken", action=translatable("choose another one"))
    context = _pin_context(keyring, holder.name, holder.role)
    slot = PinSlot(holder.name, holder.role, seal(key, bytes(master), context))
    return _with_a_clinician(msgspec.structs.replace(keyring, pins=(*others, slot), beside=None))


def without_pin(keyring: Keyring, name: str) -> Keyring:
    """Return the keyring without someone's PIN.

    Raises
    ------
    device.errors.RecordError
        If nobody of that name has one, or no clinician would have one.
    """
    pins = tuple(slot for slot in keyring.pins if slot.name != name)
    if len(pins) == len(keyring.pins):
        raise RecordError("nobody of this name has a PIN", action=translatable("check the name"))
    return _with_a_clinician(msgspec.structs.replace(keyring, pins=pins))


def open_with_pin(keyring: Keyring, pin: str) -> tuple[Holder, bytes] | None:
    """Return whose PIN it is, and the master key, or None where it is nobody's. Takes long."""
    key = _stretch(pin, keyring.salt, keyring.cost)
    for slot in keyring.pins:
        master = _opened(keyring, slot, key)
        if master is not None:
            return slot.holder, master
    return None


def check_pin(pin: str) -> None:
    """Check that a PIN may be taken as one.

    Raises
    ------
    device.errors.RecordError
        If it is too short or too long.
    """
    if not SHORTEST_PIN <= len(pin) <= LONGEST_PIN:
        raise RecordError(
            "a PIN has at least {shortest} digits or letters",
            action=translatable("choose a longer one"),
            shortest=SHORTEST_PIN,
        )


def with_key_file(keyring: Keyring, master: bytes | bytearray, content: bytes) -> Keyring:
    """Return the keyring opened by a key file, and not by a key beside the archive."""
    sealed = seal(_file_key(keyring, content), bytes(master), _context(keyring, "key file"))
    return msgspec.structs.replace(keyring, key_file=sealed, beside=None)


def with_key_beside(keyring: Keyring, master: bytes | bytearray, content: bytes) -> Keyring:
    """Return the keyring opened by a key that lies beside the archive."""
    sealed = seal(_file_key(keyring, content), bytes(master), _context(keyring, "beside"))
    return msgspec.structs.replace(keyring, beside=sealed)


def open_with_key_file(keyring: Keyring, content: bytes) -> bytes | None:
    """Return the master key, or None where the key file is another."""
    return _unsealed(keyring, keyring.key_file, content, "key file")


def open_with_key_beside(keyring: Keyring, content: bytes) -> bytes | None:
    """Return the master key, or None where the key beside is another."""
    return _unsealed(keyring, keyring.beside, content, "beside")


def read_key_file(path: Path) -> bytes:
    """Return the content of a key file.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is too short to be a key.
    """
    content = read_regular_file(path, _LARGEST_KEY_FILE)
    if len(content) < _SHORTEST_KEY_FILE:
        raise ValueError(f"has fewer than {_SHORTEST_KEY_FILE} bytes")
    return content


def write_key_beside(folder: Path) -> bytes:
    """Write a new key beside the archive and return it.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    content = new_secret()
    write_atomically(folder / KEY_BESIDE, content)
    return content


def read_keyring(folder: Path) -> Keyring | None:
    """Return an archive's keyring, or None where there is none.

    Raises
    ------
    ValueError
        If both copies are damaged.
    OSError
        If they cannot be read.
    """
    keyrings = []
    there = False
    for name in (KEYRING_FILE, COPY_FILE):
        with contextlib.suppress(FileNotFoundError):
            content = read_regular_file(folder / name, _LARGEST)
            there = True
            with contextlib.suppress(ValueError):
                keyrings.append(_decoded(content))
    if there and not keyrings:
        raise ValueError("both copies of the keyring are damaged")
    return max(keyrings, key=lambda keyring: keyring.number, default=None)


def damaged_copies(folder: Path) -> list[str]:
    """Return the names of the keyring's copies that cannot be read."""
    damaged = []
    for name in (KEYRING_FILE, COPY_FILE):
        try:
            _decoded(read_regular_file(folder / name, _LARGEST))
        except (OSError, ValueError):
            damaged.append(name)
    return damaged


def write_keyring(folder: Path, keyring: Keyring) -> None:
    """Write both copies of the keyring, one after the other.

    Raises
    ------
    OSError
        If they cannot be written; the one that was there can then still be read.
    """
    body = msgspec.json.encode(keyring)
    content = hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"
    for name in (KEYRING_FILE, COPY_FILE):
        write_atomically(folder / name, content)


def _decoded(content: bytes) -> Keyring:
    digest, _, rest = content.partition(b"\n")
    body, _, after = rest.partition(b"\n")
    if after or hashlib.sha256(body).hexdigest().encode() != digest:
        raise ValueError("its checksum is wrong")
    return msgspec.json.decode(body, type=Keyring)


def _with_a_clinician(keyring: Keyring) -> Keyring:
    if not any(slot.role is Role.CLINICIAN for slot in keyring.pins):
        raise RecordError(
            "no clinician would have a PIN", action=translatable("give a clinician one first")
        )
    return keyring


def _opened(keyring: Keyring, slot: PinSlot, key: bytes) -> bytes | None:
    try:
        return unseal(key, slot.sealed, _pin_context(keyring, slot.name, slot.role))
    except ValueError:
        return None


def _unsealed(keyring: Keyring, sealed: bytes | None, content: bytes, kind: str) -> bytes | None:
    if sealed is None:
        return None
    try:
        return unseal(_file_key(keyring, content), sealed, _context(keyring, kind))
    except ValueError:
        return None


def _stretch(pin: str, salt: bytes, cost: PinCost) -> bytes:
    plain = unicodedata.normalize("NFC", pin).encode()
    argon = Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=cost.passes,
        lanes=1,
        memory_cost=cost.memory_kib,
    )
    return argon.derive(plain)


def _file_key(keyring: Keyring, content: bytes) -> bytes:
    return derive(content, "key file", keyring.salt)


def _context(keyring: Keyring, kind: str) -> bytes:
    return f"master key of {keyring.archive} for {kind}".encode()


def _pin_context(keyring: Keyring, name: str, role: Role) -> bytes:
    return _context(keyring, f"{role} {name}")


def _mac_of(bare: Keyring, master: bytes | bytearray) -> bytes:
    return hmac.digest(derive(master, "keyring"), msgspec.json.encode(bare), "sha256")
