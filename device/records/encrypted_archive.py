"""The archive: examinations and patients, encrypted, and each change whole or not at all.

A change is what one transaction of the tables says. ``docs/records.md`` tells why nothing
acknowledged can be lost. It stands on what opens it (`device.records.vault`, `pin_vault`), its
pictures (`picture_vault`), patients (`patient_vault`), and what was kept while locked
(`intake_vault`).
"""

import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.errors import RecordError, reason
from device.frame import Frame, SourceKind
from device.imaging.abcd import AbcdMeasures
from device.imaging.field_of_view import crop, find_field
from device.inference.finding import Finding, to_record
from device.language import translatable
from device.platform.clock import clock_is_set
from device.platform.durable_files import remove_durably
from device.records import drop_box, examination_tables, patient_tables
from device.records.drop_box import SealedFinding, SealedPicture
from device.records.importing import import_plain
from device.records.intake_vault import EXAMINATION_NOT_KEPT, IntakeVault
from device.records.listing import Page, WorkItem, WorkKind
from device.records.model import (
    SCHEMA_VERSION,
    Examination,
    ExaminationRecord,
    PictureKind,
    Polarization,
)
from device.records.orders import Order, OrderKey
from device.records.patients import Decision, Key
from device.records.picture_files import encode_picture, read_picture, read_thumbnail
from device.records.roles import Permission
from device.records.sealing import new_secret
from device.records.trail import Event, changes
from device.records.vault import Opened

_TIME: Final = "%Y%m%dT%H%M%SZ"
FINDING_NOT_KEPT: Final = translatable("the picture is kept, but its finding could not be")
REGION_UNDECIDED: Final = translatable("a picture of the region is not decided on")
NO_CAMERA: Final = translatable(
    "a picture that no camera took is not kept among the clinic's examinations"
)


class EncryptedArchive(IntakeVault):
    """Examinations and patients in a folder, encrypted (`device.records.archive.PatientArchive`).

    One program alone uses it at a time.

    Parameters
    ----------
    folder
        Made, where `create` says so, when it is opened.
    clock
        That wrong PINs are timed by, and the trail.
    permanent
        False for a folder that is removed at the end: it takes pictures from anywhere, and its key
        is on no disk. One that outlives the program is the clinic's, and takes a camera's alone.
    create
        False for a folder that lies where someone put it, such as on a medium that can be taken
        out: where it is missing, so is the medium, and nothing is written on the disk below.
    share
        How much of its disk examinations may take up, 0 to 1.
    key_file
        What opens the records in the place of a PIN; None where there is none.
    pin_cost
        What a try of a PIN costs in a new archive; None to measure what takes about a second here.
    """

    # Examinations, as the recorder keeps them.

    def keep(
        self,
        frame: Frame,
        finding: Finding | None,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
        *,
        kind: PictureKind = PictureKind.DERMOSCOPIC,
        polarization: Polarization | None = None,
        lesion: Key | None = None,
        order: Order | None = None,
    ) -> str:
        """Keep an examination and return its identifier once it cannot be lost."""
        if self.permanent and frame.kind is not SourceKind.CAMERA:
            raise RecordError(NO_CAMERA, action=translatable("use the camera"))
        taken = frame.time.astimezone(UTC)
        small = frame.pixels
        if kind is PictureKind.DERMOSCOPIC:
            small = crop(frame.pixels, finding.field if finding else find_field(frame.pixels))
        with self.guard, self.telling(EXAMINATION_NOT_KEPT):
            self.check_writable()
            public = self._sealed_for()
            opened = self.allowed(Permission.CAPTURE) if public is None else None
            number = examination_tables.last_number(opened.connection) + 1 if opened else 0
            went_back = self._last_taken is not None and taken < self._last_taken
            # Of what is sealed the name alone tells one from another of the same second.
            mark = secrets.token_hex(3 if opened else 6)
            record = ExaminationRecord(
                schema_version=SCHEMA_VERSION,
                identifier=f"{number:06d}-{taken:{_TIME}}-{mark}",
                taken=taken,
                clock_set=clock_is_set(taken) and not went_back,
                source=frame.kind,
                kind=kind,
                polarization=polarization,
                lesion=lesion,
                order=patient_tables.checked(order) if order and lesion is not None else None,
            )
            if finding is not None:
                record = _judged(record, finding, flags, measures)
            if opened is not None:
                size = self.add(opened, number, record, frame.pixels, small, Event.KEPT)
                if not self.is_there():
                    # Taken out in this very moment: the file may lie on the disk below.
                    remove_durably(self.path_of(number))
            else:
                assert public is not None
                key = new_secret()
                content = encode_picture(frame.pixels, small, key, record.identifier)
                size = len(content)
                self._check_room(size)
                picture = SealedPicture(record=record, key=key, content=content)
                drop_box.seal_picture(self.folder, public, picture)
                if not self.is_there():
                    drop_box.remove_sealed(self.folder, record.identifier)
            self.check_still_there()
            self._last_taken = taken
            self._size = size
            return record.identifier

    def complete(
        self,
        identifier: str,
        finding: Finding,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
    ) -> None:
        """Write the finding of a picture that was kept before it was judged.

        Its room is never refused: the picture, which is far larger, was not.
        """
        said = SealedFinding(
            field_of_view=finding.field,
            finding=to_record(finding, identifier, list(flags)),
            measures=measures,
            likeness=finding.likeness,
        )
        with self.guard, self.telling(FINDING_NOT_KEPT):
            self.check_writable()
            public = self._sealed_for()
            if public is not None:
                drop_box.seal_finding(self.folder, public, identifier, said)
                self.check_still_there()
                return
        self._take_in_now(identifier)
        with self.changing(Permission.CAPTURE, FINDING_NOT_KEPT) as opened:
            self._write_finding(opened, identifier, said)

    def identifiers(self, newest: int | None = None) -> list[str]:
        """Return the examinations that are kept, in the order in which they were."""
        if not self.folder.exists():
            # That is told when one is to be kept.
            return []
        with self.reading() as connection:
            return examination_tables.identifiers(connection, newest)

    def read(self, identifier: str) -> Examination:
        """Return a kept examination, of this schema version or an older one."""
        with self.reading() as connection:
            row = examination_tables.select(connection, identifier)
            record = row.record()
            try:
                pixels = read_picture(self.path_of(row.number), self.key_of(row), identifier)
                field = record.field_of_view
                if field is not None and not field.lies_in(pixels.shape):
                    raise ValueError("its field of view does not lie in its image")
            except (OSError, ValueError) as error:
                raise examination_tables.damaged(identifier, reason(error)) from None
            return Examination(record, pixels)

    def note_export(self, what: str) -> None:
        """Note in the trail that records are taken out, and how; raises as `note_leaving`."""
        self.note_leaving(Permission.EXPORT, Event.EXPORTED, what)

    def note_sent(self, identifier: str, target: str) -> None:
        """Note in the trail that an examination went where the settings say it goes.

        Raises as `note_leaving`.
        """
        self.note_leaving(Permission.READ, Event.EXPORTED, f"{identifier} to {target}")

    def changes(self, after: str, limit: int = 500) -> list[tuple[str, str]]:
        """Return which examinations were kept, filed, decided or deleted, in that order.

        Parameters
        ----------
        after
            The mark of the last change that is known; empty for all.

        Returns
        -------
        list
            Of identifiers, each with the mark of its change.
        """
        with self.reading() as connection:
            return changes(connection, after, limit)

    def catch_up(self) -> Iterator[bool]:
        """Take in what was kept while locked, and what earlier releases kept as plain files.

        One a step.
        """
        try:
            yield from self.take_in()
        except RecordError as why:
            raise self.left_sealed(why) from None
        if self.opened is None or self.read_only:
            return
        with self.telling():
            for error in import_plain(self, self.add, self.folder, remove=True):
                yield error is None

    def import_from(self, folder: Path, *, remove: bool) -> Iterator[RecordError | None]:
        """Bring over what an earlier release kept in a folder as plain files, one a step.

        Yields what is wrong with one that stays where it is, or None. What was brought over before
        is passed over; what was damaged is tried again.

        Raises
        ------
        device.errors.RecordError
            If the archive or the folder fails: begin again later.
        """
        with self.guard, self.telling():
            self.check_writable()
            self.allowed(Permission.RESTORE)
        with self.telling():
            yield from import_plain(self, self.add, folder, remove=remove, again=True)

    def delete_patient(self, key: Key) -> int:
        """Delete a patient, the lesions, and the examinations with their pictures, for good."""
        with self.guard:
            with self.changing(Permission.DELETE) as opened:
                connection = opened.connection
                patient_tables.select_patient(connection, key)
                rows = examination_tables.of_patient(connection, key)
                for row in rows:
                    examination_tables.remove(connection, row)
                    self.note(opened, Event.EXAMINATION_DELETED, row.identifier)
                connection.execute("DELETE FROM lesion WHERE patient = ?", (key,))
                connection.execute("DELETE FROM patient WHERE key = ?", (key,))
                self.note(opened, Event.PATIENT_DELETED, key)
            self._remove_deleted(opened)
            return len(rows)

    # Examinations.

    def record(self, identifier: str) -> ExaminationRecord:
        """Return what is written of an examination, without its picture."""
        with self.reading() as connection:
            return examination_tables.select(connection, identifier).record()

    def thumbnail(self, identifier: str) -> NDArray[np.uint8]:
        """Return an examination's picture in small."""
        with self.reading() as connection:
            row = examination_tables.select(connection, identifier)
            try:
                return read_thumbnail(self.path_of(row.number), self.key_of(row), identifier)
            except (OSError, ValueError) as error:
                raise examination_tables.damaged(identifier, reason(error)) from None

    def examinations(self, after: str | None = None, limit: int = 20) -> Page[ExaminationRecord]:
        """Return all that is kept, the newest first."""
        with self.reading() as connection:
            return examination_tables.page(connection, "", (), after, limit)

    def unfiled(self, after: str | None = None, limit: int = 20) -> Page[ExaminationRecord]:
        """Return the examinations that are filed under no lesion, the newest first."""
        with self.reading() as connection:
            return examination_tables.page(connection, "lesion IS NULL", (), after, limit)

    def of_lesion(
        self, lesion: Key, after: str | None = None, limit: int = 20
    ) -> Page[ExaminationRecord]:
        """Return the examinations of a lesion, the newest first."""
        with self.reading() as connection:
            patient_tables.select_lesion(connection, lesion)
            return examination_tables.page(connection, "lesion = ?", (lesion,), after, limit)

    def file_examination(self, identifier: str, lesion: Key | None) -> None:
        """File an examination under a lesion, or under another one, or under none."""
        with self.changing(Permission.ENTER) as opened:
            row = examination_tables.select(opened.connection, identifier)
            record = msgspec.structs.replace(
                row.record(), lesion=lesion, order=self._order_there(opened, row.record(), lesion)
            )
            secret = self._sealed(opened, self.key_of(row), identifier, lesion)
            examination_tables.move(opened.connection, row, record, secret)
            self.note(opened, Event.FILED, identifier)

    @staticmethod
    def _order_there(opened: Opened, record: ExaminationRecord, lesion: Key | None) -> Order | None:
        """Return the order of an examination that is filed elsewhere: it stays with its patient."""
        if record.order is None or record.lesion is None or lesion is None:
            return None
        before, after = (
            patient_tables.select_lesion(opened.connection, key).patient
            for key in (record.lesion, lesion)
        )
        return record.order if before == after else None

    def decide(self, identifier: str, decision: Decision) -> None:
        """Enter the decision of an examination, or another in its place."""
        decision = patient_tables.checked(decision)
        self._take_in_now(identifier)
        with self.changing(Permission.DECIDE) as opened:
            row = examination_tables.select(opened.connection, identifier)
            record = row.record()
            if record.kind is PictureKind.REGION:
                raise RecordError(
                    REGION_UNDECIDED, action=translatable("decide on a dermoscopic picture")
                )
            record = msgspec.structs.replace(record, decision=decision)
            examination_tables.update_record(opened.connection, row.number, record)
            self.note(opened, Event.DECIDED, identifier)

    def delete_examination(self, identifier: str) -> None:
        """Delete an examination and its picture for good."""
        with self.guard:
            with self.changing(Permission.DELETE) as opened:
                row = examination_tables.select(opened.connection, identifier)
                examination_tables.remove(opened.connection, row)
                self.note(opened, Event.EXAMINATION_DELETED, identifier)
            self._remove_deleted(opened)

    # The worklist.

    def worklist(
        self,
        kind: WorkKind,
        today: date,
        after: str | None = None,
        limit: int = 20,
        *,
        by_identifier: bool = False,
        prefix: str = "",
    ) -> Page[WorkItem]:
        """Return what is to be done of one kind."""
        with self.reading() as connection:
            if by_identifier:
                rows, following = examination_tables.page_of_work_by_identifier(
                    connection, kind, today, patient_tables.beginning(prefix), after, limit
                )
            else:
                rows, following = examination_tables.page_of_work(
                    connection, kind, today, after, limit
                )
            items = []
            for identifier, content, due in rows:
                for record in examination_tables.readable([(identifier, content)]):
                    lesion = patient = None
                    if record.lesion is not None:
                        lesion = patient_tables.select_lesion(connection, record.lesion)
                        patient = patient_tables.select_patient(connection, lesion.patient)
                    day = date.fromisoformat(due) if due else None
                    items.append(WorkItem(kind, record, lesion, patient, day))
            return Page(tuple(items), following)

    def orders_of(self, day: date) -> frozenset[OrderKey]:
        """Return the keys of the orders that examinations of a day are kept with."""
        begin, end = (
            datetime.combine(one, time()).astimezone() for one in (day, day + timedelta(days=1))
        )
        with self.reading() as connection:
            return examination_tables.orders_between(connection, begin, end)

    def work_counts(self, today: date) -> dict[WorkKind, int]:
        """Return how much there is of each kind."""
        with self.reading() as connection:
            return {
                kind: examination_tables.count_of_work(connection, kind, today) for kind in WorkKind
            }


def _judged(
    record: ExaminationRecord,
    finding: Finding,
    flags: Sequence[str],
    measures: AbcdMeasures | None,
) -> ExaminationRecord:
    return msgspec.structs.replace(
        record,
        field_of_view=finding.field,
        finding=to_record(finding, record.identifier, list(flags)),
        measures=measures,
        likeness=finding.likeness,
    )


@contextlib.contextmanager
def throwaway_archive() -> Iterator[EncryptedArchive]:
    """Yield an archive for pictures that no camera took; it is gone when the block ends."""
    # Made when the first picture is kept: a full disk must not keep the program from starting.
    temporary = Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 -- the name is random
    folder = temporary / f"dermascope-{secrets.token_hex(8)}"
    archive = EncryptedArchive(folder, permanent=False)
    try:
        yield archive
    finally:
        archive.close()
