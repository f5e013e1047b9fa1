"""The recorder's thread: all that is written to the disk, and read from it, while the program runs.

A slow card holds up neither the analysis nor the screen.
"""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from device.errors import (
    ConfigError,
    ImageError,
    NoSuchRecordError,
    NotAllowedError,
    RecordError,
    RecordsLockedError,
    ScreenError,
)
from device.faults import Fault
from device.imaging.field_of_view import crop, find_field
from device.imaging.ruler import find_ticks
from device.language import translatable
from device.latest import Latest
from device.optics import Optics, save_optics
from device.platform.clock import Clock
from device.platform.logs import log_expected
from device.preferences import Preferences, save_preferences
from device.records.access import Holder, Protection
from device.records.archive import Archive, PatientArchive
from device.records.model import PictureKind
from device.records.patients import Key
from device.runtime.casework import NOT_DONE, Casework
from device.runtime.desk import Desk
from device.runtime.health import Health, Part, report_unexpected
from device.runtime.inbox import Inbox
from device.runtime.messages import (
    CalibrateOptics,
    CalibrationResult,
    KeepExamination,
    KeepResult,
    Shot,
)
from device.runtime.recent import MAX_RECENT, RecentPictures
from device.runtime.requests import Appoint, Decide, DeletePatient, FileExamination, Request

NOT_KEPT: Final = translatable("The examination could not be kept.")
NOT_SAVED: Final = translatable("The settings could not be kept.")
NOT_CALIBRATED: Final = translatable("The scale could not be read off the ruler.")
NOT_READ: Final = translatable("Earlier examinations could not be read.")
DAMAGED: Final = translatable("Earlier examinations that are damaged, and not shown: {count}.")
COPY_AND_CHECK: Final = translatable("Copy what is there, and have the disk checked.")
LITTLE_ROOM: Final = translatable("There is room for about {count} more examinations.")
MAKE_ROOM: Final = translatable("Move older ones to another disk.")

FEW: Final = 200
"""Examinations that there must be room for, or it is told; and again when half of it is gone."""

_WAIT_SECONDS: Final = 0.5
_MOST_NEWS: Final = 64
_MOST_UNREADABLE: Final = 100
"""Examinations passed over before the search for older ones is given up: each is a read of the
card, and a folder of thousands that none can be read from would keep it busy for minutes."""

_log = logging.getLogger(__name__)


class Recorder:
    """Keeps examinations and preferences, and reads what was kept before.

    What is to be kept comes first, in the order in which it came; older examinations are read one
    at a time while there is nothing to keep. Told to stop, it keeps what it was given before.

    Parameters
    ----------
    archive
        Used by this thread alone; None to keep nothing.
    preferences_folder
        Where preferences and the optics' scale are kept; None to forget them.
    recent
        Takes what was kept before.
    health
        Notified of every step.
    clock
        Time source for waits, and of a calibration.
    patients
        The same archive, where it holds the records of patients; else None.
    optics
        Takes the scale of a calibration.

    Attributes
    ----------
    inbox
        Examinations to keep, calibrations, what is asked of the records, and the newest
        preferences.
    calibration
        What came of the last calibration.
    kept
        Whether the examination of the last shot is on the disk.
    """

    def __init__(
        self,
        archive: Archive | None,
        preferences_folder: Path | None,
        recent: RecentPictures,
        health: Health,
        clock: Clock,
        patients: PatientArchive | None = None,
        optics: Latest[Optics] | None = None,
    ) -> None:
        self._clock = clock
        self._optics = optics
        self._archive = archive
        self._casework = Casework(patients, clock) if patients is not None else None
        self._preferences_folder = preferences_folder
        self._recent = recent
        self._health = health
        self._news: deque[KeepResult] = deque(maxlen=_MOST_NEWS)
        self._fault: Fault | None = None
        self._identifiers: deque[tuple[Shot, str]] = deque(maxlen=_MOST_NEWS)
        self._reading_fault: Fault | None = None
        self._preferences_fault: Fault | None = None
        self._space_fault: Fault | None = None
        self._told_room = FEW
        self._unreadable = 0
        self.inbox: Inbox[KeepExamination | CalibrateOptics | Appoint | Request, Preferences] = (
            Inbox(clock)
        )
        self.calibration: Latest[CalibrationResult] = Latest(clock)
        self.kept: Latest[KeepResult] = Latest(clock)

    @property
    def fault(self) -> Fault | None:
        """Why the last examination could not be kept, or None where it was."""
        return self._fault

    @property
    def reading_fault(self) -> Fault | None:
        """Why earlier examinations, or how many of them, cannot be read, or None."""
        return self._reading_fault

    @property
    def space_fault(self) -> Fault | None:
        """That there is little room left, or None; a new one whenever it is to be told again."""
        return self._space_fault

    @property
    def preferences_fault(self) -> Fault | None:
        """Why the last preferences could not be kept, or None where they were."""
        return self._preferences_fault

    @property
    def permanent(self) -> bool:
        """Whether what is kept outlives the program."""
        return self._archive is not None and self._archive.permanent

    @property
    def desk(self) -> Desk:
        """What lies on the desk of patients' records."""
        return (self._casework.desk.peek() if self._casework else None) or Desk()

    def run(self, stop: threading.Event) -> None:
        """Keep what comes until told to stop; what came before is still kept."""
        older = chain(self._caught_up(), self._older())
        reading, whose = True, _whose(self.desk)
        while True:
            ending = stop.is_set()
            work = self.inbox.take(0.0 if ending or reading else _WAIT_SECONDS)
            match work:
                case KeepExamination():
                    self._keep(work)
                case Preferences():
                    self._save(work)
                case CalibrateOptics():
                    self._calibrate(work)
                case Appoint():
                    if self._casework is not None:
                        self._casework.appoint(work)
                case None if ending:
                    return
                case None:
                    self._health.waiting(Part.RECORDER, self._fault)
                    reading = reading and next(older, None) is not None
                case _:
                    self._answer(work)
            self._follow_access(idle=work is None)
            if _whose(self.desk) != whose or isinstance(work, DeletePatient | FileExamination):
                # Behind the lock is no picture, nor of whoever is deleted, nor under a lesion that
                # it is not of; whoever opens the records sees what is theirs again.
                if _whose(self.desk) != whose:
                    whose, self._reading_fault = _whose(self.desk), None
                self._recent.clear()
                self._unreadable = 0
                older, reading = chain(self._caught_up(), self._older()), True

    def _follow_access(self, *, idle: bool = False) -> None:
        if self._casework is None:
            return
        if idle:
            self._casework.reopen()
        self._casework.follow_access()

    def _keep(self, work: KeepExamination) -> None:
        if self._archive is None:
            return
        try:
            self._write(self._archive, work)
        except RecordError as error:
            self._fault = error.fault
            log_expected(_log, error)
            self._health.waiting(Part.RECORDER, error.fault)
        except Exception as error:
            self._fault = self._failed(NOT_KEPT, error)
        else:
            self._fault = None
            self._health.worked(Part.RECORDER)
            self._tell_room()
            if work.finding is None and work.shot.filing.kind is not PictureKind.REGION:
                # Not all of it is kept yet.
                return
            _log.info("an examination was kept")
        self._follow_access()
        kept = KeepResult(work.shot, self._fault, sealed=self.desk.locked)
        self.kept.put(kept)
        self._news.append(kept)

    def _write(self, archive: Archive, work: KeepExamination) -> None:
        """Keep an examination, or complete the one that came of the same shot."""
        identifier = self._identifier_of(work.shot)
        if identifier is None:
            try:
                identifier = self._filed(archive, work, self._key_of(work))
            except NoSuchRecordError:
                # The patient was deleted meanwhile; a picture can be filed later, and not retaken.
                identifier = self._filed(archive, work, None)
            self._identifiers.append((work.shot, identifier))
        elif work.finding is not None:
            archive.complete(identifier, work.finding, work.flags, work.measures)
        if self._casework is not None:
            self._casework.kept(work.shot.filing)

    def _identifier_of(self, subject: object) -> str | None:
        """Return the examination that came of a shot; None where none is kept."""
        return next((name for shot, name in self._identifiers if shot is subject), None)

    def _key_of(self, work: KeepExamination) -> Key | None:
        try:
            return self._casework.key_of(work.shot.filing) if self._casework else None
        except RecordsLockedError:
            # They were locked as it was taken: no lesion can be added, and the picture is kept.
            return None

    @staticmethod
    def _filed(archive: Archive, work: KeepExamination, lesion: Key | None) -> str:
        return archive.keep(
            work.frame,
            work.finding,
            work.flags,
            work.measures,
            kind=work.shot.filing.kind,
            polarization=work.shot.filing.polarization,
            lesion=lesion,
            order=work.shot.filing.order,
        )

    def _answer(self, request: Request) -> None:
        """Do what is asked of the records."""
        if self._casework is None:
            return
        if isinstance(request, Decide):
            kept_as = self._identifier_of(request.subject)
            request = replace(request, subject=kept_as or request.subject)
        try:
            self._casework.do(request)
        except Exception as error:
            self._casework.failed(request, self._failed(NOT_DONE, error))
        else:
            self._health.worked(Part.RECORDER)

    def news(self) -> list[KeepResult]:
        """Return what became of examinations since the last call; for the session alone."""
        news = []
        while self._news:
            news.append(self._news.popleft())
        return news

    def _save(self, chosen: Preferences) -> None:
        if self._preferences_folder is None:
            return
        try:
            save_preferences(self._preferences_folder, chosen)
        except ScreenError as error:
            self._preferences_fault = error.fault
            log_expected(_log, error)
        except Exception as error:
            self._preferences_fault = self._failed(NOT_SAVED, error)
        else:
            self._preferences_fault = None
            self._health.worked(Part.RECORDER)

    def _calibrate(self, work: CalibrateOptics) -> None:
        pixels = work.frame.pixels
        height, width = pixels.shape[:2]
        try:
            scale = 1.0 / find_ticks(crop(pixels, find_field(pixels))).spacing
            optics = Optics(
                mm_per_pixel=scale, width=width, height=height, calibrated=self._clock.now()
            )
            if self._preferences_folder is not None:
                save_optics(self._preferences_folder, optics)
        except (ImageError, ConfigError) as error:
            log_expected(_log, error)
            self.calibration.put(CalibrationResult(fault=error.fault))
        except Exception as error:
            self.calibration.put(CalibrationResult(fault=self._failed(NOT_CALIBRATED, error)))
        else:
            if self._optics is not None:
                self._optics.put(optics)
            self.calibration.put(CalibrationResult(scale))
            self._health.worked(Part.RECORDER)

    def _older(self) -> Iterator[bool]:
        """Read what was kept before, one a step, until there are as many as are shown."""
        if self._archive is None:
            return
        try:
            identifiers = self._archive.identifiers(newest=MAX_RECENT + _MOST_UNREADABLE)
        except (RecordsLockedError, NotAllowedError):
            # Whoever may see them does once they open them.
            return
        except RecordError as error:
            self._reading_fault = error.fault
            log_expected(_log, error)
            return
        except Exception as error:
            self._reading_fault = self._failed(NOT_READ, error)
            return
        for identifier in reversed(identifiers):
            try:
                room = self._recent.add_older(self._archive.read(identifier))
            except Exception as error:
                # One that is damaged, however, must neither hide the others nor end the thread.
                _log.warning("an earlier examination cannot be read (%s)", type(error).__name__)
                self._unreadable += 1
                room = self._unreadable < _MOST_UNREADABLE
            if not room:
                break
            yield True
        self._tell_damaged()

    def _caught_up(self) -> Iterator[bool]:
        """Let the archive catch up, a step at a time, and tell where there is little room."""
        if self._archive is None:
            return
        try:
            for done in self._archive.catch_up():
                self._unreadable += not done
                yield True
            self._tell_room()
        except (RecordsLockedError, NotAllowedError):
            # Whoever opens them next, and may, goes on with it.
            return
        except RecordError as error:
            self._reading_fault = error.fault
            log_expected(_log, error)
        except Exception as error:
            self._failed(NOT_READ, error)

    def _tell_damaged(self) -> None:
        """Tell how many cannot be read, once all were looked at, and only of another number."""
        fault = Fault(DAMAGED, COPY_AND_CHECK, values={"count": self._unreadable})
        if self._unreadable and fault != self._reading_fault:
            self._reading_fault = fault

    def _tell_room(self) -> None:
        if self._archive is None or not self._archive.permanent:
            return
        room = self._archive.room()
        if room is None or room >= FEW:
            self._told_room, self._space_fault = FEW, None
        elif room <= self._told_room // 2 or self._space_fault is None:
            self._told_room = room
            self._space_fault = Fault(LITTLE_ROOM, MAKE_ROOM, values={"count": room})

    def _failed(self, message: str, error: Exception) -> Fault:
        return report_unexpected(_log, self._health, Part.RECORDER, message, error)


def _whose(desk: Desk) -> tuple[Protection, Holder | None] | None:
    """Return who sees the records, where not everybody may."""
    access = desk.access
    if access is None or access.protection in (Protection.NOTHING, Protection.UNKNOWN):
        return None
    return access.protection, access.holder
