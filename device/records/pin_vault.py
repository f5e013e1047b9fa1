"""Who may open the records: PINs, the key file in the place of one, and the lock."""

import contextlib
import logging

from device.errors import RecordError
from device.platform.logs import log_expected
from device.records import keyring, patient_tables
from device.records.access import Access, Holder, Protection
from device.records.keyring import Keyring
from device.records.roles import Permission
from device.records.trail import Event
from device.records.vault import Opened, Vault

_log = logging.getLogger(__name__)


class PinVault(Vault):
    """The records, and whose PINs open them. Parameters are those of `EncryptedArchive`."""

    def pin_wait(self) -> float:
        """Return the seconds until the next PIN is taken."""
        with self.guard:
            return self.keys.pin_wait()

    def unlock(self, pin: str) -> Holder:
        """Open the records with a PIN, and return whose it is."""
        with self.guard:
            with contextlib.suppress(RecordError):
                # Of those that could not be written the disk may have been put right.
                self.check_writable()
            self.open()
            holder, master, wrong = self.keys.master_by_pin(pin)
            if self.opened is not None:
                self._let_in(self.opened, holder)
            else:
                with self.telling():
                    self._connect(master, holder)
            self._note_unlocked(wrong)
            return holder

    def unlock_with_key_file(self) -> None:
        """Open records that have PINs with the key file that the settings name.

        Raises
        ------
        device.errors.RecordError
            If it does not open them.
        """
        with self.guard:
            self.open()
            if self.opened is not None:
                return
            master = self.keys.master_by_key_file()
            with self.telling():
                self._connect(master, keyring.BY_KEY_FILE)
            self._note_unlocked()

    def lock(self) -> None:
        """Close the records and forget their keys; without a PIN they stay open."""
        with self.guard:
            if self.opened is None or self._access.protection is not Protection.PIN:
                return
            with contextlib.suppress(RecordError), self.changing(None) as opened:
                self.note(opened, Event.LOCKED, opened.holder.name)
            if self.opened is not None:
                self.opened.close()
                self.opened = None
            self._access = Access(Protection.PIN, None)

    def holders(self) -> tuple[Holder, ...]:
        """Return who has a PIN."""
        with self.guard:
            self.open()
            return self.keys.holders

    def set_pin(self, holder: Holder, pin: str) -> None:
        """Give someone a PIN, or another one."""
        with self.changing(Permission.PINS) as opened:
            holder = patient_tables.checked(holder)
            ring = self.keys.with_pin(opened.master, holder, pin)
            before = opened.holder
            if not self.keys.holders:
                # Whoever sets the first one is the first to be known by name.
                opened.holder = holder
            try:
                self._replace_keyring(opened, ring)
            except BaseException:
                opened.holder = before
                raise
            self.note(opened, Event.PIN_SET, holder.name)

    def remove_pin(self, name: str) -> None:
        """Take someone's PIN away."""
        with self.changing(Permission.PINS) as opened:
            self._replace_keyring(opened, keyring.without_pin(self.keys.ring, name))
            self.note(opened, Event.PIN_REMOVED, name)

    def change_pin(self, old: str, new: str) -> Holder:
        """Replace one's own PIN."""
        with self.guard:
            self.open()
            keyring.check_pin(new)
            was_locked = self.opened is None
            before = self._access.holder
            holder = self.unlock(old)
            try:
                self.keys.count_change()
                with self.changing(None) as opened:
                    ring = self.keys.with_pin(opened.master, holder, new)
                    self._replace_keyring(opened, ring)
                    self.note(opened, Event.PIN_SET, holder.name)
            finally:
                if was_locked:
                    self.lock()
                elif self.opened is not None and before is not None:
                    self._let_in(self.opened, before)
            return holder

    def _note_unlocked(self, wrong: int = 0) -> None:
        try:
            with self.changing(None) as opened:
                if wrong:
                    self.note(opened, Event.WRONG_PINS, str(wrong))
                self.note(opened, Event.UNLOCKED, opened.holder.name)
        except RecordError as error:
            # On a full disk someone must come in to make room.
            log_expected(_log, error)

    def _replace_keyring(self, opened: Opened, ring: Keyring) -> None:
        """Write a changed keyring, within the transaction that tells of it."""
        self.keys.replace(ring, opened.master)
        self._set_keyring_number(opened)
        self._let_in(opened, opened.holder)
