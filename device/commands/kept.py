"""The kept examinations, for commands that take them elsewhere."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from device.commands.standard_error import print_error
from device.config import Config, records_folder, records_key_file
from device.errors import RecordError
from device.exit_status import ExitStatus

if TYPE_CHECKING:
    from device.interop.gather import Source
    from device.interop.study import ExaminedLesion


class Kept:
    """The kept examinations, and whether some could not be read."""

    def __init__(self, config: Config) -> None:
        self._source = _source(config)
        self._damaged = 0

    @property
    def status(self) -> int:
        """The exit status of what was done with them."""
        return ExitStatus.BAD_INPUT if self._damaged else ExitStatus.OK

    def __iter__(self) -> Iterator["ExaminedLesion"]:
        from device.interop.gather import gather

        return gather(self._source, self._pass_over)

    def find(self, identifier: str) -> "ExaminedLesion | None":
        """Return an examination; None where it was deleted.

        Raises
        ------
        device.errors.RecordError
            If it is damaged.
        """
        if identifier not in self._source.pictures.identifiers():
            return None
        return self._source.read(identifier)

    def _pass_over(self, error: RecordError) -> None:
        self._damaged += 1
        print_error(str(error))


def _source(config: Config) -> "Source":
    from device.interop.equipment import equipment_of
    from device.interop.gather import Source
    from device.models.chosen import open_bundle
    from device.optics import load_optics
    from device.paths import state_folder
    from device.records.encrypted_archive import EncryptedArchive

    archive = EncryptedArchive(
        records_folder(config), create=False, key_file=records_key_file(config)
    )
    return Source(
        pictures=archive,
        patients=archive,
        classes=open_bundle(config).manifest.classes,
        equipment=equipment_of(config.exchange),
        optics=load_optics(state_folder()),
    )
