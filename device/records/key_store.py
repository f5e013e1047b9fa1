"""Where an archive's key lies: in its keyring, opened by PINs, a key file or a key beside it."""

import contextlib
from pathlib import Path

import msgspec

from device.errors import RecordError, WrongPinError, reason
from device.language import translatable
from device.platform.clock import Clock
from device.platform.durable_files import remove_durably
from device.records import keyring
from device.records.access import Holder, Protection
from device.records.keyring import KEY_BESIDE, Keyring, PinCost
from device.records.pin_delay import PinDelay
from device.records.sealing import new_secret
from device.text import printable_path


class KeyStore:
    """The keyring of an archive, what opens it, and the count of wrong PINs.

    Parameters
    ----------
    folder
        Of the archive.
    clock
        That wrong PINs are timed by.
    permanent
        Whether a key beside the archive and the count of wrong PINs lie on the disk.
    key_file
        What opens the archive in the place of a PIN; None where there is none.
    pin_cost
        What a try of a PIN costs in a new archive; None to measure what takes about a second here.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        permanent: bool,
        key_file: Path | None,
        pin_cost: PinCost | None,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._permanent = permanent
        self._key_file = key_file
        self._pin_cost = pin_cost
        self._beside = b"" if permanent else new_secret()
        self._ring: Keyring | None = None
        self._delay: PinDelay | None = None
        self._changes = PinDelay(None, clock)

    @property
    def ring(self) -> Keyring:
        """The keyring, once it is read."""
        assert self._ring is not None
        return self._ring

    @property
    def holders(self) -> tuple[Holder, ...]:
        """Who has a PIN."""
        return tuple(slot.holder for slot in self._ring.pins) if self._ring else ()

    def read(self, *, make: bool) -> None:
        """Read the keyring, and make it where there is none.

        Parameters
        ----------
        make
            Whether it may be made: of an archive that is there it never is.

        Raises
        ------
        device.errors.RecordError
            If it is missing or damaged, or the key file that is to open a new one cannot be read.
        OSError
            If the disk fails.
        """
        if self._delay is None:
            self._delay = PinDelay(self._folder if self._permanent else None, self._clock)
        try:
            self._ring = keyring.read_keyring(self._folder)
        except ValueError as error:
            raise self.unopenable(error) from None
        if self._ring is None:
            if not make:
                raise self.unopenable("the keyring is missing")
            self._make()

    def forget(self) -> None:
        """Forget the keyring; it is to be read again."""
        self._ring = None

    # What opens it.

    def find_master(self, *, write: bool) -> bytes | None:
        """Return the master key, or None where a PIN is to be entered.

        Parameters
        ----------
        write
            Whether a key file that was provisioned later may take the place of the key beside.

        Raises
        ------
        device.errors.RecordError
            If the key beside the archive or the key file is missing, or opens another.
        """
        if self.ring.pins:
            self._forget_beside()
            return None
        if self.ring.beside is None:
            self._forget_beside()
            return self.master_by_key_file()
        master = keyring.open_with_key_beside(self.ring, self._read_beside())
        if master is None:
            raise self.unopenable(f"{KEY_BESIDE} is damaged, or another archive's")
        if self._key_file is not None and write:
            self.replace(keyring.with_key_file(self.ring, master, self._read_key_file()), master)
        return master

    def master_by_key_file(self) -> bytes:
        """Return the master key as the key file opens it; raises as `find_master`."""
        master = keyring.open_with_key_file(self.ring, self._read_key_file())
        if master is None:
            raise self.unopenable("the key file is another archive's")
        return master

    def master_by_pin(self, pin: str) -> tuple[Holder, bytes, int]:
        """Return whose a PIN is, the master key, and how many wrong PINs came before.

        Raises
        ------
        device.errors.WrongPinError
            If it is nobody's, or comes too soon.
        """
        delay = self._delay
        assert delay is not None
        wait = delay.wait()
        if wait > 0.0:
            raise WrongPinError(
                translatable("too many wrong PINs; the next one is taken in {seconds} seconds"),
                seconds=int(wait) + 1,
            )
        wrong = delay.wrong
        # Counted before it is tried: the power could be cut in between.
        delay.count()
        found = keyring.open_with_pin(self.ring, pin)
        if found is None:
            raise WrongPinError(
                translatable("this PIN is nobody's"), action=translatable("enter it again")
            )
        delay.forget()
        return *found, wrong

    def count_change(self) -> None:
        """Count that somebody changes their own PIN.

        A PIN that is somebody else's is refused, and so is known: nobody may try many.

        Raises
        ------
        device.errors.WrongPinError
            If it comes too soon.
        """
        wait = self._changes.wait()
        if wait > 0.0:
            raise WrongPinError(
                translatable("too many new PINs; the next one is taken in {seconds} seconds"),
                seconds=int(wait) + 1,
            )
        self._changes.count()

    def pin_wait(self) -> float:
        """Return the seconds until the next PIN is taken."""
        return self._delay.wait() if self._delay else 0.0

    # The keyring.

    def check(self, master: bytes) -> None:
        """Raise `RecordError` where whoever wrote the keyring had not the master key."""
        if not keyring.is_whole(self.ring, master):
            raise self.unopenable("the keyring was altered")

    def with_pin(self, master: bytes | bytearray, holder: Holder, pin: str) -> Keyring:
        """Return the keyring with another PIN; raises as `device.records.keyring.with_pin`."""
        ring = self.ring
        if not ring.pins and self._pin_cost is None:
            cost = keyring.measure_cost(self._clock.monotonic)
            ring = msgspec.structs.replace(ring, cost=cost)
        return keyring.with_pin(ring, master, holder, pin)

    def replace(self, ring: Keyring, master: bytes | bytearray) -> None:
        """Write a changed keyring in the place of this one; a key that opens it no more goes.

        Raises
        ------
        OSError
            If it cannot be written; the one before holds.
        """
        ring = keyring.signed(ring, master)
        keyring.write_keyring(self._folder, ring)
        self._ring = ring
        if ring.protection is not Protection.NOTHING:
            self._forget_beside()

    def complete_copies(self) -> None:
        """Write the copy of the keyring that an interrupted program did not."""
        keyring.complete_copies(self._folder, self.ring)

    def unopenable(self, why: object) -> RecordError:
        """Return the error that the archive cannot be opened, and only a backup helps."""
        return RecordError(
            "the key of the records cannot be read",
            action=translatable("restore them from a backup"),
            where=printable_path(self._folder),
            detail=str(why),
        )

    def _make(self) -> None:
        master = new_secret()
        ring = keyring.new_keyring(self._pin_cost or PinCost())
        if self._key_file is not None:
            ring = keyring.with_key_file(ring, master, self._read_key_file())
        else:
            if self._permanent:
                self._beside = keyring.write_key_beside(self._folder)
            ring = keyring.with_key_beside(ring, master, self._beside)
        self._ring = keyring.signed(ring, master)
        keyring.write_keyring(self._folder, self._ring)

    def _read_beside(self) -> bytes:
        if not self._permanent:
            return self._beside
        try:
            return keyring.read_key_file(self._folder / KEY_BESIDE)
        except (OSError, ValueError) as error:
            raise self.unopenable(f"{KEY_BESIDE}: {reason(error)}") from None

    def _read_key_file(self) -> bytes:
        if self._key_file is None:
            raise RecordError(
                "the records are opened by a key file, and the settings name none",
                action=translatable("set records_key_file"),
            )
        try:
            return keyring.read_key_file(self._key_file)
        except (OSError, ValueError) as error:
            raise RecordError(
                "the key file of the records cannot be read",
                action=translatable("put it where records_key_file says"),
                where=printable_path(self._key_file),
                detail=reason(error),
            ) from None

    def _forget_beside(self) -> None:
        """Remove the key beside the archive, which opens it no more."""
        with contextlib.suppress(OSError):
            remove_durably(self._folder / KEY_BESIDE)
