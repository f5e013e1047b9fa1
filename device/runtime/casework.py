"""Answers what the screen asks of the records, on the recorder's thread."""

import contextlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final, assert_never

import msgspec

from device.diagnoses import Code
from device.errors import NoSuchRecordError, RecordError
from device.faults import Fault
from device.imaging.codes import clean_identifier
from device.inference.likeness import unlike_others
from device.language import translatable
from device.latest import Latest
from device.platform.clock import Clock
from device.platform.logs import log_expected
from device.records.access import Protection
from device.records.archive import PatientArchive
from device.records.listing import LesionSummary
from device.records.model import ExaminationRecord
from device.records.patients import Key, Lesion
from device.runtime.comparison import compared, opened_picture
from device.runtime.desk import (
    Desk,
    LesionEntry,
    Matches,
    Visit,
    WorkEntry,
    WorkPage,
)
from device.runtime.requests import (
    AddPatient,
    Appoint,
    ChangePatient,
    ChangePin,
    ClosePatient,
    CompareVisits,
    Decide,
    DeletePatient,
    Entry,
    FileExamination,
    Filing,
    FindPatient,
    LesionChoice,
    ListHolders,
    ListSeen,
    Lock,
    MoveLesion,
    NewLesion,
    OpenLesion,
    OpenPicture,
    OpenScheduled,
    OpenWork,
    PinRequest,
    RemovePin,
    Request,
    SetPin,
    Unlock,
)

NOT_DONE: Final = translatable("The records could not be read or written.")
NO_IDENTIFIER: Final = translatable("what the clinic's list calls the patient is no identifier")
NOT_KEPT_YET: Final = translatable("the picture that was decided on is not kept")

WORK_ROWS: Final = 4
"""Entries of the worklist that are shown at a time."""

MOST_MATCHES: Final = 8
"""Patients that are shown of those whose identifier begins so."""

MOST_VISITS: Final = 60
"""Pictures of a lesion that are shown: the newest."""


_log = logging.getLogger(__name__)


class Casework:
    """Finds, shows and changes the records of patients.

    Parameters
    ----------
    archive
        Where they are kept.
    clock
        Of the worklist's day.

    Attributes
    ----------
    desk
        What the screen may read.
    """

    def __init__(self, archive: PatientArchive, clock: Clock) -> None:
        self._archive = archive
        self._clock = clock
        self._added: tuple[NewLesion, Key] | None = None
        self._cursors: list[str | None] = [None]
        self.desk: Latest[Desk] = Latest(clock)
        self._lay(Desk(access=archive.access))

    def do(self, request: Request) -> None:
        """Do what is asked for, and lay the answer on the desk.

        Parameters
        ----------
        request
            What is asked for; a decision about a shot that is kept names its examination.
        """
        before = replace(self._desk, answered=request, fault=None)
        try:
            after = self._done(before, request)
        except RecordError as error:
            log_expected(_log, error)
            after = replace(before, fault=error.fault)
        access = self._archive.access
        if access.locked:
            # What was on the desk is behind the lock again.
            after = Desk(access=access, answered=request, fault=after.fault)
        wait = self._archive.pin_wait() if access.locked else 0.0
        self._lay(replace(after, access=access, pin_wait=self._clock.monotonic() + wait))

    def follow_access(self) -> None:
        """Clear the desk where the records were locked, or opened by another, unasked.

        As when their disk was taken out, and is there again.
        """
        desk, access = self._desk, self._archive.access
        if access == desk.access:
            return
        before = desk.access.holder if desk.access else None
        if access.locked or before not in (None, access.holder):
            desk = Desk(answered=desk.answered)
        wait = self._archive.pin_wait() if access.locked else 0.0
        self._lay(replace(desk, access=access, pin_wait=self._clock.monotonic() + wait))

    def reopen(self) -> None:
        """Open records that a key file opens, which may be there again."""
        access = self._archive.access
        if access.locked and access.protection is Protection.KEY_FILE:
            with contextlib.suppress(RecordError):
                self._archive.open()

    def failed(self, request: Request, fault: Fault) -> None:
        """Say that something was not done."""
        self._lay(replace(self._desk, answered=request, fault=fault))

    def key_of(self, filing: Filing) -> Key | None:
        """Return the lesion that a picture is filed under, which is added where it is new."""
        return None if filing.lesion is None else self._key(filing.lesion)

    def kept(self, filing: Filing) -> None:
        """Lay what was just kept of the open lesion on the desk."""
        desk = self._desk
        if filing.lesion is None or desk.patient is None or desk.lesion is None:
            return
        if self._known(desk.lesion) != self._known(filing.lesion):
            return
        try:
            self._lay(self._with_lesion(self._with_lesions(desk), desk.lesion))
        except RecordError as error:
            # It is kept; that is what matters.
            log_expected(_log, error)

    def appoint(self, noted: Appoint) -> None:
        """Lay the entry of the clinic's worklist on the desk that the open patient is."""
        desk = self._desk
        if desk.scheduled is None and desk.patient and desk.patient.key == noted.patient:
            self._lay(replace(desk, scheduled=noted.scheduled))

    @property
    def _desk(self) -> Desk:
        return self.desk.peek() or Desk()

    def _lay(self, desk: Desk) -> None:
        self.desk.put(desk)

    def _done(self, desk: Desk, request: Request) -> Desk:
        archive = self._archive
        match request:
            case FindPatient():
                patient = archive.find_patient(request.identifier)
                unknown = "" if patient else request.identifier
                matches = Matches()
                if unknown and request.beginning:
                    page = archive.patients(unknown, limit=MOST_MATCHES)
                    matches = Matches(page.items, page.following is not None)
                found = replace(_cleared(desk), patient=patient, unknown=unknown, matches=matches)
                return self._with_lesions(found)
            case ClosePatient():
                return _cleared(desk)
            case OpenLesion(lesion=None):
                return self._with_lesions(_without_lesion(desk))
            case OpenLesion(lesion=lesion, scheduled=scheduled):
                assert lesion is not None
                opened = self._with_lesion(self._with_patient_of(desk, lesion), lesion)
                return replace(opened, scheduled=scheduled or opened.scheduled)
            case OpenWork():
                return replace(desk, work=self._work(desk, request))
            case OpenPicture():
                return replace(desk, picture=opened_picture(archive.read(request.identifier)))
            case ListHolders():
                return replace(desk, holders=archive.holders())
            case ListSeen():
                return replace(desk, seen=archive.orders_of(self._today()))
            case CompareVisits():
                return replace(
                    desk, comparison=compared(*map(archive.read, (request.earlier, request.later)))
                )
            case _:
                return self._changed(desk, request)

    def _changed(self, desk: Desk, request: Entry) -> Desk:
        archive = self._archive
        match request:
            case OpenScheduled():
                return self._with_lesions(self._with_scheduled(desk, request))
            case AddPatient():
                patient = archive.add_patient(
                    request.identifier,
                    name=request.name,
                    birth_year=request.birth_year,
                    sex=request.sex,
                    phototype=request.phototype,
                )
                return replace(_cleared(desk), patient=patient)
            case ChangePatient():
                archive.change_patient(request.patient)
                return replace(desk, patient=request.patient)
            case DeletePatient():
                archive.delete_patient(request.patient)
                return replace(_cleared(desk), work=None)
            case MoveLesion():
                moved = msgspec.structs.replace(archive.lesion(request.lesion), spot=request.spot)
                archive.change_lesion(moved)
                return self._with_lesions(replace(desk, opened=moved))
            case FileExamination():
                archive.file_examination(request.identifier, self._key(request.lesion))
                return self._with_lesion(self._with_lesions(desk), request.lesion)
            case Decide():
                identifier = request.subject
                if not isinstance(identifier, str):
                    raise NoSuchRecordError(NOT_KEPT_YET, action=translatable("take it again"))
                archive.decide(identifier, request.decision)
                # The next one is chosen anew, so that nothing is filed under the wrong one.
                return self._with_lesions(_without_lesion(desk))
            case SetPin() | ChangePin() | RemovePin():
                self._change_pins(request)
                return replace(desk, holders=archive.holders())
            case Unlock():
                archive.unlock(request.pin)
                return Desk(answered=request)
            case Lock():
                archive.lock()
                return Desk(answered=request)
            case _:
                assert_never(request)

    def _with_scheduled(self, desk: Desk, request: OpenScheduled) -> Desk:
        entry = request.scheduled
        # As a code before the camera would be read.
        identifier = clean_identifier(entry.identifier)
        if not identifier:
            raise RecordError(NO_IDENTIFIER, action=translatable("have it corrected there"))
        patient = self._archive.find_patient(identifier)
        if patient is None:
            patient = self._archive.add_patient(
                identifier,
                name=entry.name if request.named else "",
                birth_year=entry.birth_year,
                sex=entry.sex,
            )
        return replace(_cleared(desk), patient=patient, scheduled=entry)

    def _change_pins(self, request: PinRequest) -> None:
        match request:
            case SetPin():
                self._archive.set_pin(request.holder, request.pin)
            case ChangePin():
                self._archive.change_pin(request.old, request.new)
            case RemovePin():
                self._archive.remove_pin(request.name)

    def _key(self, choice: LesionChoice) -> Key:
        known = self._known(choice)
        if known is None:
            assert isinstance(choice, NewLesion)
            known = self._archive.add_lesion(choice.patient, choice.spot).key
            self._added = choice, known
        return known

    def _known(self, choice: LesionChoice) -> Key | None:
        """Return the key of a lesion; None of one that is not added yet."""
        if isinstance(choice, str):
            return choice
        return self._added[1] if self._added and self._added[0] is choice else None

    def _with_patient_of(self, desk: Desk, choice: LesionChoice) -> Desk:
        if isinstance(choice, NewLesion):
            return desk
        owner = self._archive.lesion(choice).patient
        if desk.patient is not None and desk.patient.key == owner:
            return desk
        return self._with_lesions(replace(_cleared(desk), patient=self._archive.patient(owner)))

    def _with_lesions(self, desk: Desk) -> Desk:
        if desk.patient is None:
            return replace(desk, lesions=())
        known = {
            entry.newest.record.identifier: entry.newest for entry in desk.lesions if entry.newest
        }
        summaries = self._archive.lesions(desk.patient.key)
        entries = tuple(
            LesionEntry(
                summary.lesion,
                summary.examinations,
                self._visit_again(summary.newest, known) if summary.newest else None,
                _unlike(summary, summaries),
                summary.decision,
            )
            for summary in summaries
        )
        return replace(desk, lesions=entries)

    def _with_lesion(self, desk: Desk, choice: LesionChoice) -> Desk:
        key = self._known(choice)
        opened: Lesion | None = None
        visits: tuple[Visit, ...] = ()
        if key is not None:
            opened = self._archive.lesion(key)
            page = self._archive.of_lesion(key, limit=MOST_VISITS)
            known = {visit.record.identifier: visit for visit in desk.visits}
            visits = tuple(self._visit_again(record, known) for record in page.items)
        return replace(desk, lesion=choice, opened=opened, visits=visits)

    def _visit_again(self, record: ExaminationRecord, known: dict[str, Visit]) -> Visit:
        """Return a visit with the thumbnail that was read before: a picture never changes."""
        before = known.get(record.identifier)
        return Visit(record, before.thumbnail) if before else self._visit(record)

    def _visit(self, record: ExaminationRecord) -> Visit:
        try:
            return Visit(record, self._archive.thumbnail(record.identifier))
        except RecordError as error:
            # A picture that is damaged must not hide the others.
            log_expected(_log, error)
            return Visit(record, None)

    def _work(self, desk: Desk, request: OpenWork) -> WorkPage:
        number = 1
        if request.turn and desk.work is not None and _same_list(desk.work, request):
            number = max(1, min(desk.work.number + request.turn, len(self._cursors)))
        after = self._cursors[number - 1] if number > 1 else None
        today = self._today()
        entries: Iterable[WorkEntry]
        if request.kind is None:
            pictures = self._archive.unfiled(after, WORK_ROWS)
            following = pictures.following
            entries = [WorkEntry(self._visit(record), None) for record in pictures.items]
        else:
            items = self._archive.worklist(
                request.kind,
                today,
                after,
                WORK_ROWS,
                by_identifier=request.by_identifier,
                prefix=request.prefix,
            )
            following = items.following
            entries = [WorkEntry(self._visit(item.record), item) for item in items.items]
        self._cursors = [*(self._cursors[:number] if number > 1 else [None]), following]
        if following is None:
            self._cursors.pop()
        return WorkPage(
            request.kind,
            tuple(entries),
            number,
            following is None,
            self._archive.work_counts(today),
            request.by_identifier,
            request.prefix,
        )

    def _today(self) -> date:
        return self._clock.now().astimezone().date()


def _unlike(one: LesionSummary, lesions: Sequence[LesionSummary]) -> bool:
    """Return whether a lesion is unlike the patient's others that are called naevi."""
    if one.newest is None or one.newest.likeness is None:
        return False
    naevi = [
        other.newest.likeness
        for other in lesions
        if other is not one and other.newest and other.newest.likeness and _naevus(other.newest)
    ]
    return unlike_others(one.newest.likeness, naevi)


def _naevus(record: ExaminationRecord) -> bool:
    finding = record.finding
    return finding is not None and finding.no_call is None and finding.diagnosis == Code.NV


def _same_list(work: WorkPage, request: OpenWork) -> bool:
    """Return whether a page of the worklist is one of those that are asked for."""
    asked = (request.kind, request.by_identifier, request.prefix)
    return (work.kind, work.by_identifier, work.prefix) == asked


def _cleared(desk: Desk) -> Desk:
    """Return the desk without any patient."""
    return Desk(access=desk.access, work=desk.work, seen=desk.seen, answered=desk.answered)


def _without_lesion(desk: Desk) -> Desk:
    return replace(desk, lesion=None, opened=None, visits=(), comparison=None)
