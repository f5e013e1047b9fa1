"""What is kept while the records are locked, and taken in once they are open."""

import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec

from device.errors import NoSuchRecordError, RecordError, reason
from device.language import translatable
from device.records import drop_box, examination_tables, patient_tables
from device.records.database import transaction
from device.records.drop_box import SealedFinding
from device.records.model import ExaminationRecord
from device.records.patient_vault import PatientVault
from device.records.plain_files import plain_examinations
from device.records.roles import Permission
from device.records.trail import Event, has_happened
from device.records.vault import Opened
from device.text import printable_path

EXAMINATION_NOT_KEPT: Final = translatable("the examination could not be kept")


class IntakeVault(PatientVault):
    """Takes in what lies in the drop box (`device.records.drop_box`)."""

    def take_in(self) -> Iterator[bool]:
        """Take in what was kept while the records were locked, one a step.

        Yields whether it was whole; what is not stays where it is.
        """
        for identifier in drop_box.sealed_identifiers(self.folder):
            with self.guard, self.telling(EXAMINATION_NOT_KEPT):
                if self.opened is None:
                    return
                if self.read_only:
                    raise self.unwritable()
                done = self._take_in(self.opened, identifier)
            yield done

    def take_in_all(self) -> Iterator[RecordError]:
        """Take in all that was kept while the records were locked; yield why some stays out.

        So do examinations of an earlier release that the instrument has not brought over yet.
        """
        left = self.take_in_whole()
        if left is not None:
            yield left
        for told in self.wrong_in_drop_box():
            yield RecordError(told)
        with self.telling():
            plain = len(plain_examinations(self.folder))
        if plain:
            yield RecordError(
                "examinations that an earlier release kept are not in the records yet: {count}",
                action=translatable("start the instrument, which brings them over"),
                where=printable_path(self.folder),
                count=plain,
            )

    def take_in_whole(self) -> RecordError | None:
        """Take in what is not damaged of it; return why some stays out, or None."""
        try:
            for _ in self.take_in():
                pass
        except RecordError as error:
            return self.left_sealed(error)
        return None

    def left_sealed(self, why: RecordError) -> RecordError:
        """Return the error that pictures are kept which are not in the records."""
        return RecordError(
            "pictures that were kept while the records were locked are not in them yet: {count}",
            action=translatable("make room, or let their disk be written, and open them again"),
            where=printable_path(self.folder),
            detail=why.fault.text,
            count=len(drop_box.sealed_identifiers(self.folder)),
        )

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
        with self.guard, self.telling(EXAMINATION_NOT_KEPT):
            if self.opened and not self.read_only and drop_box.is_sealed(self.folder, identifier):
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
