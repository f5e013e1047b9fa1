"""The archive: examinations and patients, encrypted, and each change whole or not at all.

A change is what one transaction of the tables says. A picture's file is written before the row that
names it, and removed after the row that named it is gone; at the next start whatever an interrupted
program left over is removed. ``docs/records.md`` tells why nothing acknowledged can be lost.
"""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.anatomy import BodySpot
from device.errors import NoSuchRecordError, RecordError
from device.frame import Frame, SourceKind
from device.imaging.abcd import AbcdMeasures
from device.imaging.field_of_view import crop, find_field
from device.inference.finding import Finding, to_record
from device.language import translatable
from device.platform.clock import Clock, clock_is_set
from device.platform.durable_files import remove_durably
from device.records import drop_box, examination_tables, patient_tables
from device.records.database import (
    DATABASE_FILE,
    purge,
    transaction,
    value_of,
)
from device.records.drop_box import SealedFinding, SealedPicture
from device.records.examination_tables import Row
from device.records.importing import import_plain, reserve_places
from device.records.keyring import PinCost
from device.records.listing import LesionSummary, Page, WorkItem, WorkKind
from device.records.model import (
    SCHEMA_VERSION,
    Examination,
    ExaminationRecord,
    PictureKind,
    Polarization,
)
from device.records.orders import Order
from device.records.patients import Decision, Key, Lesion, Patient, Sex, new_key
from device.records.picture_files import (
    encode_picture,
    picture_path,
    read_picture,
    read_thumbnail,
    write_picture,
)
from device.records.roles import Permission
from device.records.sealing import new_secret, seal, unseal
from device.records.trail import Event, changes, has_happened
from device.records.vault import Opened, Vault, reason
from device.text import printable_path

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection

_TIME: Final = "%Y%m%dT%H%M%SZ"
_TYPICAL_SIZE: Final = 4 << 20
"""Bytes of an examination of 1920 x 1080 pixels, until one is kept."""

_RESERVED: Final = 8 << 20
"""Bytes that pictures leave free: findings, decisions and what makes room again need some."""

NOT_KEPT: Final = translatable("the examination could not be kept")
FINDING_NOT_KEPT: Final = translatable("the picture is kept, but its finding could not be")
NO_CAMERA: Final = translatable(
    "a picture that no camera took is not kept among the clinic's examinations"
)


class EncryptedArchive(Vault):
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

    def __init__(
        self,
        folder: Path,
        clock: Clock | None = None,
        *,
        permanent: bool = True,
        create: bool = True,
        share: float = 1.0,
        key_file: Path | None = None,
        pin_cost: PinCost | None = None,
    ) -> None:
        super().__init__(
            folder,
            clock or Clock(),
            permanent=permanent,
            create=create,
            key_file=key_file,
            pin_cost=pin_cost,
        )
        self._share = share
        self._last_taken: datetime | None = None
        self._size = _TYPICAL_SIZE

    @property
    def last_taken(self) -> datetime | None:
        """When the newest examination was taken, UTC, or None while locked or where none is."""
        return self._last_taken

    def room(self) -> int | None:
        """Return about how many more examinations there is room for, or None if unknown."""
        with self.guard:
            try:
                disk = shutil.disk_usage(self.folder)
            except OSError:
                return None
            room = disk.free - _RESERVED
            taken = self._taken()
            if self._share < 1.0 and taken is not None:
                room = min(room, int(self._share * disk.total) - taken)
            return max(0, room // self._size)

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
        with self.guard, self.telling(NOT_KEPT):
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
            public = self._sealed_for()
            if public is not None:
                drop_box.seal_finding(self.folder, public, identifier, said)
                self.check_still_there()
                return
        self._take_in_now(identifier)
        with self.changing(Permission.CAPTURE, FINDING_NOT_KEPT) as opened:
            self._write_finding(opened, identifier, said)

    def _write_finding(self, opened: Opened, identifier: str, said: SealedFinding) -> None:
        row = examination_tables.select(opened.connection, identifier)
        record = msgspec.structs.replace(
            row.record(),
            field_of_view=said.field_of_view,
            finding=said.finding,
            measures=said.measures,
            likeness=said.likeness,
        )
        examination_tables.update_record(opened.connection, row.number, record)
        self.note(opened, Event.COMPLETED, identifier)

    # What is kept while the records are locked.

    def _sealed_for(self) -> bytes | None:
        """Return the key that a picture is sealed for; None where the records are open.

        Raises
        ------
        device.errors.RecordsLockedError
            If they are locked, and no release that has such a key has opened them yet.
        """
        self.open()
        if self.opened is not None:
            return None
        public = drop_box.read_public_key(self.folder)
        if public is None:
            self.allowed(None)
        return public

    def _take_in_now(self, identifier: str) -> None:
        """Take in what was kept of one examination while the records were locked."""
        with self.guard, self.telling(NOT_KEPT):
            if self.opened is not None and drop_box.is_sealed(self.folder, identifier):
                self._take_in(self.opened, identifier)

    def _take_in(self, opened: Opened, identifier: str) -> bool:
        """Take in what was kept of an examination while locked; tell whether it was whole.

        The trail, which is never shortened, knows what was taken in before: it neither comes twice,
        nor comes back once it was deleted.
        """
        private = drop_box.private_key(opened.master)
        connection = opened.connection
        picture = None
        try:
            if not has_happened(connection, Event.TAKEN_IN, identifier):
                picture = drop_box.open_picture(self.folder, private, identifier)
            said = drop_box.open_finding(self.folder, private, identifier)
        except (ValueError, FileNotFoundError):
            return False
        if picture is not None:
            number = examination_tables.last_number(connection) + 1
            record = self._filed_where_it_can_be(opened, picture.record)
            content, key = picture.content, picture.key
            self._insert(opened, number, record, content, key, Event.TAKEN_IN)
        if said is not None:
            with contextlib.suppress(NoSuchRecordError), transaction(connection):
                if examination_tables.select(connection, identifier).record().finding is None:
                    self._write_finding(opened, identifier, said)
        drop_box.remove_sealed(self.folder, identifier)
        return True

    @staticmethod
    def _filed_where_it_can_be(opened: Opened, record: ExaminationRecord) -> ExaminationRecord:
        """Return a record under its lesion, or under none where that was deleted meanwhile."""
        if record.lesion is not None:
            try:
                patient_tables.select_lesion(opened.connection, record.lesion)
            except NoSuchRecordError:
                return msgspec.structs.replace(record, lesion=None, order=None)
        return record

    def wrong_in_drop_box(self) -> Iterator[str]:
        """Yield what is wrong with what was kept while the records were locked, in a line each."""
        for identifier in drop_box.sealed_identifiers(self.folder):
            with self.guard, self.telling():
                private = drop_box.private_key(self.allowed(Permission.BACKUP).master)
                try:
                    drop_box.open_picture(self.folder, private, identifier)
                    drop_box.open_finding(self.folder, private, identifier)
                except (OSError, ValueError) as error:
                    damaged = examination_tables.damaged(identifier, reason(error))
                else:
                    continue
            yield f"{drop_box.FOLDER}: {damaged}"

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
        """Note in the trail that records are taken out, and how.

        Raises
        ------
        device.errors.RecordError
            If they are locked, or whoever opened them may not take them out.
        """
        with self.changing(Permission.EXPORT) as opened:
            self.note(opened, Event.EXPORTED, what)

    def note_sent(self, identifier: str, target: str) -> None:
        """Note in the trail that an examination went where the settings say it goes.

        Raises
        ------
        device.errors.RecordError
            If the records are locked, or whoever opened them may not see them.
        """
        with self.changing(Permission.READ) as opened:
            self.note(opened, Event.EXPORTED, f"{identifier} to {target}")

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
        yield from self.take_in()
        if self.opened is None:
            return
        with self.telling():
            for error in import_plain(self, self.add, self.folder, remove=True):
                yield error is None

    def take_in(self) -> Iterator[bool]:
        """Take in what was kept while the records were locked, one a step.

        Yields whether it was whole; what is not stays where it is.
        """
        for identifier in drop_box.sealed_identifiers(self.folder):
            with self.guard, self.telling(NOT_KEPT):
                if self.opened is None:
                    return
                done = self._take_in(self.opened, identifier)
            yield done

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
            self.allowed(Permission.RESTORE)
        with self.telling():
            yield from import_plain(self, self.add, folder, remove=remove, again=True)

    # Patients.

    def add_patient(
        self,
        identifier: str,
        *,
        name: str = "",
        birth_year: int | None = None,
        sex: Sex | None = None,
        phototype: int | None = None,
    ) -> Patient:
        """Add a patient and return it with its key."""
        patient = patient_tables.checked(
            Patient(
                key=new_key(),
                identifier=identifier.strip(),
                name=name,
                birth_year=birth_year,
                sex=sex,
                phototype=phototype,
            )
        )
        with self.changing(Permission.ENTER) as opened:
            sealed = seal(opened.pictures, new_secret(), _patient_context(patient.key))
            patient_tables.insert_patient(opened.connection, patient, sealed)
            self.note(opened, Event.PATIENT_ADDED, patient.key)
        return patient

    def change_patient(self, patient: Patient) -> None:
        """Replace what is known of the patient of this key."""
        patient = patient_tables.checked(patient)
        with self.changing(Permission.ENTER) as opened:
            patient_tables.update_patient(opened.connection, patient)
            self.note(opened, Event.PATIENT_CHANGED, patient.key)

    def patient(self, key: Key) -> Patient:
        """Return a patient."""
        with self.reading() as connection:
            return patient_tables.select_patient(connection, key)

    def find_patient(self, identifier: str) -> Patient | None:
        """Return the patient of an identifier, whatever its capitals, or None."""
        with self.reading() as connection:
            return patient_tables.find_patient(connection, identifier)

    def patients(
        self, prefix: str = "", after: str | None = None, limit: int = 20
    ) -> Page[Patient]:
        """Return the patients whose identifier begins so, in the order of identifiers."""
        with self.reading() as connection:
            return patient_tables.page_of_patients(connection, prefix, after, limit)

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

    # Lesions.

    def add_lesion(self, patient: Key, spot: BodySpot | None = None) -> Lesion:
        """Add a lesion of a patient, with the next number."""
        with self.changing(Permission.ENTER) as opened:
            patient_tables.select_patient(opened.connection, patient)
            number = patient_tables.next_lesion_number(opened.connection, patient)
            lesion = patient_tables.checked(
                Lesion(key=new_key(), patient=patient, number=number, spot=spot)
            )
            patient_tables.insert_lesion(opened.connection, lesion)
            self.note(opened, Event.LESION_ADDED, lesion.key)
            return lesion

    def change_lesion(self, lesion: Lesion) -> None:
        """Replace where the lesion of this key lies; its patient and number stay."""
        lesion = patient_tables.checked(lesion)
        with self.changing(Permission.ENTER) as opened:
            before = patient_tables.select_lesion(opened.connection, lesion.key)
            changed = msgspec.structs.replace(before, spot=lesion.spot)
            patient_tables.update_lesion(opened.connection, changed)
            self.note(opened, Event.LESION_CHANGED, lesion.key)

    def lesion(self, key: Key) -> Lesion:
        """Return a lesion."""
        with self.reading() as connection:
            return patient_tables.select_lesion(connection, key)

    def lesions(self, patient: Key) -> tuple[LesionSummary, ...]:
        """Return a patient's lesions by their number, each with its newest picture's record."""
        with self.reading() as connection:
            patient_tables.select_patient(connection, patient)
            return tuple(
                LesionSummary(lesion, *examination_tables.newest_of_lesion(connection, lesion.key))
                for lesion in patient_tables.lesions_of(connection, patient)
            )

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

    def decide(self, identifier: str, decision: Decision | None) -> None:
        """Enter, replace or take back the decision of an examination."""
        decision = patient_tables.checked(decision) if decision else None
        self._take_in_now(identifier)
        with self.changing(Permission.DECIDE) as opened:
            row = examination_tables.select(opened.connection, identifier)
            record = msgspec.structs.replace(row.record(), decision=decision)
            examination_tables.update_record(opened.connection, row.number, record)
            event = Event.DECIDED if decision else Event.UNDECIDED
            self.note(opened, event, identifier)

    def delete_examination(self, identifier: str) -> None:
        """Delete an examination and its picture for good."""
        with self.guard:
            with self.changing(Permission.DELETE) as opened:
                row = examination_tables.select(opened.connection, identifier)
                examination_tables.remove(opened.connection, row)
                self.note(opened, Event.EXAMINATION_DELETED, identifier)
            self._remove_deleted(opened)

    def expire(self, before: datetime, *, delete: bool) -> tuple[int, int]:
        """Delete what the rule of retention says need not be kept, or count it.

        A patient goes as a whole, when the newest picture was taken before that time.

        Returns
        -------
        tuple of int
            How many patients, and how many examinations that are filed under no lesion.

        Raises
        ------
        device.errors.RecordError
            If the clock cannot be believed.
        """
        with self.guard, self.telling():
            opened = self.allowed(Permission.DELETE)
            if not clock_is_set(self.clock.now()):
                raise RecordError(
                    "the clock is not set, and nothing is deleted by age",
                    action=translatable("set it"),
                )
            patients = examination_tables.expired_patients(opened.connection, before)
            unfiled = examination_tables.expired_unfiled(opened.connection, before)
            if delete:
                for key in patients:
                    self.delete_patient(key)
                for identifier in unfiled:
                    self.delete_examination(identifier)
            return len(patients), len(unfiled)

    # The worklist.

    def worklist(
        self, kind: WorkKind, today: date, after: str | None = None, limit: int = 20
    ) -> Page[WorkItem]:
        """Return what is to be done of one kind."""
        with self.reading() as connection:
            rows, following = examination_tables.page_of_work(connection, kind, today, after, limit)
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

    def work_counts(self, today: date) -> dict[WorkKind, int]:
        """Return how much there is of each kind."""
        with self.reading() as connection:
            return {
                kind: examination_tables.count_of_work(connection, kind, today) for kind in WorkKind
            }

    # Pictures and their keys.

    def add(
        self,
        opened: Opened,
        number: int,
        record: ExaminationRecord,
        pixels: NDArray[np.uint8],
        small: NDArray[np.uint8],
        event: Event,
        also: Callable[["Connection"], None] | None = None,
    ) -> int:
        """Write a picture's file, then the row that makes it an examination; return its bytes.

        Parameters
        ----------
        also
            What else the transaction does.
        """
        key = new_secret()
        content = encode_picture(pixels, small, key, record.identifier)
        return self._insert(opened, number, record, content, key, event, also)

    def _insert(
        self,
        opened: Opened,
        number: int,
        record: ExaminationRecord,
        content: bytes,
        key: bytes,
        event: Event,
        also: Callable[["Connection"], None] | None = None,
    ) -> int:
        if record.lesion is not None:
            patient_tables.select_lesion(opened.connection, record.lesion)
        self._check_room(len(content))
        path = self.path_of(number)
        write_picture(path, content)
        try:
            with transaction(opened.connection):
                secret = self._sealed(opened, key, record.identifier, record.lesion)
                examination_tables.insert(opened.connection, number, record, secret, len(content))
                self.note(opened, event, record.identifier)
                if also is not None:
                    also(opened.connection)
        except BaseException:
            with contextlib.suppress(OSError):
                remove_durably(path)
            raise
        return len(content)

    def path_of(self, number: int) -> Path:
        """Return where the picture of a number lies."""
        return picture_path(self.folder, number)

    def key_of(self, row: Row) -> bytes:
        """Return the key of an examination's picture; raises ValueError where it was altered."""
        assert self.opened is not None
        wrapping = self._wrapping_key(self.opened, row.lesion)
        return unseal(wrapping, row.secret, _picture_context(row.identifier))

    def _sealed(self, opened: Opened, key: bytes, identifier: str, lesion: Key | None) -> bytes:
        return seal(self._wrapping_key(opened, lesion), key, _picture_context(identifier))

    def _wrapping_key(self, opened: Opened, lesion: Key | None) -> bytes | bytearray:
        """Return the patient's key, which goes with the patient, or the archive's."""
        if lesion is None:
            return opened.pictures
        patient = patient_tables.select_lesion(opened.connection, lesion).patient
        sealed = patient_tables.patient_secret(opened.connection, patient)
        return unseal(opened.pictures, sealed, _patient_context(patient))

    def _remove_deleted(self, opened: Opened) -> None:
        """Remove the files and pages of what was deleted; what fails is done at the next start."""
        with contextlib.suppress(Exception):
            numbers = opened.connection.execute("SELECT number FROM removal").fetchall()
            for (number,) in numbers:
                remove_durably(self.path_of(number))
            with transaction(opened.connection):
                opened.connection.execute("DELETE FROM removal")
            purge(opened.connection)

    def _taken(self) -> int | None:
        """Return the bytes that examinations take up, or None while that is not known."""
        if self.opened is None:
            return None
        try:
            tables = (self.folder / DATABASE_FILE).stat().st_size
            return value_of(self.opened.connection, "bytes") + tables
        except Exception:
            return None

    def _check_room(self, size: int) -> None:
        disk = shutil.disk_usage(self.folder)
        if disk.free < size + _RESERVED:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._share < 1.0 and (self._taken() or 0) + size > self._share * disk.total:
            raise RecordError(
                "the examinations have taken up their share of the disk",
                action=translatable("move older ones to another disk, or raise records_share"),
                where=printable_path(self.folder),
            )

    def settle(self, opened: Opened) -> None:
        """Do what an interrupted program left undone, and look up the newest examination."""
        connection = opened.connection
        drop_box.remove_unfinished(self.folder)
        with contextlib.suppress(OSError):
            # On a full disk someone must come in to make room.
            drop_box.write_public_key(self.folder, drop_box.private_key(opened.master))
        self._remove_unnamed(connection)
        reserve_places(connection, self.folder)
        if connection.execute("SELECT 1 FROM removal LIMIT 1").fetchone():
            self._remove_deleted(opened)
        newest = examination_tables.newest(connection)
        if newest is not None:
            self._last_taken = datetime.fromisoformat(newest[0])
            self._size = newest[1]

    def _remove_unnamed(self, connection: "Connection") -> None:
        """Remove the picture that an interrupted program wrote without its row."""
        number = examination_tables.last_number(connection) + 1
        while (path := self.path_of(number)).exists():
            remove_durably(path)
            number += 1


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


def _picture_context(identifier: str) -> bytes:
    return f"picture key of {identifier}".encode()


def _patient_context(key: Key) -> bytes:
    return f"key of patient {key}".encode()


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
