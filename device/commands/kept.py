"""The kept examinations, for commands that take them elsewhere."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from device.commands.secret_input import ask_secret
from device.commands.standard_error import print_error
from device.config import Config, records_folder, records_key_file
from device.errors import RecordError
from device.exit_status import ExitStatus
from device.platform.clock import Clock

if TYPE_CHECKING:
    from device.interop.gather import Source
    from device.interop.study import ExaminedLesion
    from device.records.encrypted_archive import EncryptedArchive


class Kept:
    """The kept examinations, and whether some could not be read.

    Attributes
    ----------
    archive
        Where they are kept; open.
    """

    def __init__(self, archive: "EncryptedArchive", source: "Source") -> None:
        self.archive = archive
        self._source = source
        self._damaged = 0

    @property
    def status(self) -> int:
        """The exit status of what was done with them."""
        return ExitStatus.BAD_INPUT if self._damaged else ExitStatus.OK

    def __iter__(self) -> Iterator["ExaminedLesion"]:
        from device.interop.gather import gather

        return gather(self._source, self.pass_over)

    def find(self, identifier: str) -> "ExaminedLesion | None":
        """Return an examination; None where it was deleted."""
        from device.interop.gather import find

        return find(self._source, identifier)

    def pass_over(self, error: RecordError) -> None:
        """Tell of an examination that cannot be read."""
        self._damaged += 1
        print_error(str(error))


@contextlib.contextmanager
def kept_examinations(config: Config, clock: Clock, what: str) -> Iterator[Kept]:
    """Yield the kept examinations to someone who may take them out; asks for a PIN if there is one.

    Parameters
    ----------
    what
        How they leave, for the trail.

    Raises
    ------
    device.errors.RecordError
        If the records cannot be opened, or whoever opens them may not take them out.
    """
    from device.records.encrypted_archive import EncryptedArchive

    archive = EncryptedArchive(
        records_folder(config), clock, create=False, key_file=records_key_file(config)
    )
    try:
        archive.open()
        if archive.access.locked:
            archive.unlock(ask_secret("PIN: "))
        archive.note_export(what)
        kept = Kept(archive, _source(config, archive))
        for error in archive.take_in_all():
            kept.pass_over(error)
        yield kept
    finally:
        archive.close()


def _source(config: Config, archive: "EncryptedArchive") -> "Source":
    from device.interop.equipment import equipment_of
    from device.interop.gather import Source
    from device.models.chosen import open_bundle
    from device.optics import load_optics
    from device.paths import state_folder

    optics = load_optics(state_folder())
    return Source(
        pictures=archive,
        patients=archive,
        classes=open_bundle(config).manifest.classes,
        equipment=equipment_of(config.exchange),
        optics=lambda: optics,
    )
