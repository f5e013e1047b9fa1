"""A consultation with the whole program, on a screen that nobody sees, by pointer and by key."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import zxingcpp

from device.anatomy import BodySite, BodyView, Laterality
from device.body.atlas import DRAWINGS
from device.frame import SourceKind, frame_now
from device.language import Language
from device.models.bundle import Bundle
from device.records.encrypted_archive import EncryptedArchive
from device.records.orders import Order, Scheduled
from device.records.patients import Action, Sex
from device.records.trail import Event
from device.runtime.clinic_list import Appointments
from device.screen.forms import DecisionForm
from device.screen.grid import work_area
from device.screen.pages.decision import DecisionView
from device.screen.pages.deletion import DeletionView
from device.screen.pages.followup import FollowUpView
from device.screen.pages.lesion import LesionView
from device.screen.pages.patient import PatientView
from device.screen.pages.scheduled import ScheduledView
from device.screen.pages.spot import SpotView
from device.screen.pages.start import StartView
from device.screen.pages.worklist import WorkView
from device.screen.view import LiveView
from device.screen.widgets import fitted
from tests.device.capture.drivers import begin, send, serving
from tests.device.images import encoded
from tests.device.interop.peers import LEFT_TO_PYTHON
from tests.device.interop.peers import archive as ris
from tests.device.interop.test_dicom_worklist import entry as worklist_entry
from tests.device.records.conftest import CHEAP
from tests.end_to_end.screen import TOOLS, Instrument, Pixels, instrument, part
from tests.end_to_end.test_instrument import SHOWN, photo

MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

LISTED = Scheduled(
    "MRN-4711",
    "",
    1961,
    Sex.FEMALE,
    "0930",
    Order(study_uid="1.2.3.4", accession_number="ACC1", description="Skin check"),
)
"""What the stand-in's entry says."""

THIGH = next(
    spot
    for spot in DRAWINGS[BodyView.FRONT].spots()
    if (spot.site, spot.laterality) == (BodySite.THIGH, Laterality.RIGHT)
)


class ChangingCamera:
    """A network camera before which now a code is held, now the skin."""

    def __init__(self) -> None:
        self.show(photo())
        self.plugged = True

    def show(self, pixels: Pixels) -> None:
        self._jpeg = encoded(pixels, "JPEG", quality=95)

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        while self.plugged:
            send(handler, self._jpeg)
            time.sleep(0.05)


def code_of(identifier: str) -> Pixels:
    code = zxingcpp.create_barcode(identifier, zxingcpp.BarcodeFormat.QRCode)
    printed = np.asarray(code.to_image(scale=6), np.uint8)
    frame = np.full((480, 640), 235, np.uint8)
    top, left = ((a - b) // 2 for a, b in zip(frame.shape, printed.shape, strict=True))
    frame[top : top + len(printed), left : left + printed.shape[1]] = printed
    return np.repeat(frame[:, :, None], 3, axis=2)


@contextmanager
def records(it: Instrument) -> Iterator[EncryptedArchive]:
    archive = EncryptedArchive(it.state / "examinations", pin_cost=CHEAP)
    archive.open()
    try:
        yield archive
    finally:
        archive.close()


def known_patient(it: Instrument) -> None:
    """Let there be a patient with a lesion of two visits."""
    frame = replace(frame_now(photo(), 0, "camera"), kind=SourceKind.CAMERA)
    with records(it) as archive:
        key = archive.add_lesion(archive.add_patient("P-1").key, THIGH).key
        for _ in range(2):
            archive.keep(frame, None, (), None, lesion=key)


@contextmanager
def copied(it: Instrument) -> Iterator[EncryptedArchive]:
    """Open a copy of the records, which the program alone may open while it runs."""
    folder = it.state.parent / "looked-at"
    shutil.copytree(it.state / "examinations", folder)
    archive = EncryptedArchive(folder, pin_cost=CHEAP)
    try:
        yield archive
    finally:
        archive.close()


def touch_thigh(it: Instrument) -> None:
    it.touch_place(*thigh(it))


def thigh(it: Instrument) -> tuple[int, int]:
    area = it.place("patient", "map")
    scale, left, top = fitted(DRAWINGS[BodyView.FRONT], area.width, area.height)
    x = area.left + left + THIGH.x * DRAWINGS[BodyView.FRONT].width * scale
    y = area.top + top + THIGH.y * DRAWINGS[BodyView.FRONT].height * scale
    return round(x), round(y)


def consult(it: Instrument, language: Language) -> None:
    skin = LiveView(None, language=language)
    worklist = it.drawn(WorkView(None, language=language))
    start = it.drawn(StartView(skin, language=language))
    patient = it.drawn(PatientView(None, language=language))
    lesion = it.drawn(LesionView(skin, language=language))
    followup = it.drawn(FollowUpView(None, count=2, language=language))
    decision = it.drawn(DecisionView(DecisionForm(), frozen=True, language=language))
    known_patient(it)
    with serving(camera := ChangingCamera()) as address, it.started(f"mjpeg:{address}"):
        it.sees("live", it.drawn(skin), it.row)
        camera.show(code_of("P-1"))
        # One: the code is read by itself.
        it.touch("live", "case")
        it.sees("patient", patient, it.place("patient", "details"))
        camera.show(photo())
        # Two: the lesion that is known, by its place on the body.
        touch_thigh(it)
        it.sees("lesion", lesion, it.place("lesion", "compare"))
        it.touch("lesion", "follow up")
        it.sees("changes", followup, it.place("followup", "beside"))
        # Both pictures are laid beside each other.
        pictures = work_area(it.layout)
        it.wait(lambda: part(it.screen(), pictures).std() > 30, "two visits")
        it.key("Escape")
        it.sees("lesion-again", lesion, it.place("lesion", "compare"))
        # Three: the shutter. Four to six: the decision.
        it.touch("lesion", "shutter")
        it.sees("held", it.drawn(replace(skin, frozen=datetime.now(UTC))), it.place("live", "case"))
        it.touch("live", "case")
        it.sees("decision", decision, it.place("decision", "note"))
        it.touch("decision", "6 months")
        it.touch("decision", "keep")
        it.sees("patient-again", patient, it.place("patient", "details"))
        # By key: back to the live view, and out.
        it.key("Escape")
        it.sees("live-again", it.drawn(skin), it.row)
        it.touch("live", "case")
        it.sees("start", start, it.place("start", "worklist"))
        it.touch("start", "worklist")
        it.sees("worklist", worklist, it.place("worklist", "earlier"))
        it.key("Escape")
        it.touch("live", "more")
        it.touch("settings", "quit")
        assert it.ended() == 0
        camera.plugged = False
    with records(it) as archive:
        newest = archive.examinations().items[0]
        assert newest.decision is not None
        assert newest.decision.action == Action.FOLLOW_UP
        assert newest.finding is not None
        (entry,) = archive.lesions(archive.find_patient("P-1").key)
        assert (entry.examinations, entry.newest.identifier) == (3, newest.identifier)


@pytest.mark.parametrize(("size", "language"), [s[:2] for s in SHOWN], ids=str)
def test_known_patient_is_seen_again_and_decided(
    size: tuple[int, int], language: Language, bundle: Bundle, tmp_path: Path
) -> None:
    with instrument(size, language, bundle, tmp_path) as it:
        consult(it, language)


def of_the_clinics_list(it: Instrument, language: Language) -> None:
    skin = it.drawn(LiveView(None, language=language))
    start = it.drawn(StartView(LiveView(None, language=language), language=language))
    said = Appointments((LISTED,), datetime.now(UTC))
    scheduled = it.drawn(ScheduledView(said, "ris", language=language))
    patient = it.drawn(PatientView(None, language=language))
    lesion = it.drawn(LesionView(LiveView(None, language=language), language=language))
    spot = it.drawn(SpotView(language=language))
    deletion = it.drawn(DeletionView(language=language))
    with serving(camera := ChangingCamera()) as address, it.started(f"mjpeg:{address}"):
        it.sees("live", skin, it.row)
        it.touch("live", "case")
        it.sees("start", start, it.place("start", "worklist"))
        it.touch("start", "worklist")
        first = it.place("scheduled", "appointment 1")
        it.sees("scheduled", scheduled, first, it.place("scheduled", "work"))
        for _ in range(7):
            it.key("Tab")
        it.key("Return")
        it.sees("patient", patient, it.place("patient", "details"))
        touch_thigh(it)
        it.sees("lesion", lesion, it.place("lesion", "live"))
        it.touch("lesion", "shutter")
        kept = it.kept(1).record
        assert kept.order is not None
        assert kept.order.accession_number == "ACC1"
        it.touch("live", "shutter")
        it.sees("live-again", skin, it.place("live", "shutter"))
        it.touch("live", "case")
        it.sees("lesion-again", lesion, it.place("lesion", "move"))
        # It lies on the other thigh.
        it.touch("lesion", "move")
        it.sees("spot", spot, it.place("spot", "front"))
        area = it.place("spot", "map")
        x, y = thigh(it)
        it.touch_place(2 * area.centerx - x, y)
        it.sees("lesion-moved", lesion, it.place("lesion", "move"))
        with copied(it) as archive:
            (entry,) = archive.lesions(archive.find_patient(LISTED.identifier).key)
            assert entry.lesion.spot is not None
            assert (entry.lesion.spot.site, entry.lesion.spot.laterality) == (
                BodySite.THIGH, Laterality.LEFT,
            )  # fmt: skip
        it.key("Escape")
        it.sees("patient-again", patient, it.place("patient", "details"))
        it.touch("patient", "details")
        it.touch("details", "delete patient")
        it.sees("deletion", deletion, it.place("deletion", "delete for good"))
        it.touch("deletion", "delete for good")
        it.sees("start-again", start, it.place("start", "worklist"))
        it.key("Escape")
        it.sees("live-at-last", skin, it.row)
        it.touch("live", "more")
        it.touch("settings", "quit")
        assert it.ended() == 0
        camera.plugged = False
    with records(it) as archive:
        assert (archive.identifiers(), archive.patients().items) == ([], ())
        events = [entry.event for entry in archive.trail()]
        assert Event.PATIENT_DELETED in events


@LEFT_TO_PYTHON
@pytest.mark.parametrize(("size", "language"), [s[:2] for s in SHOWN], ids=str)
def test_patient_of_the_clinics_list_is_photographed_and_deleted(
    size: tuple[int, int], language: Language, bundle: Bundle, tmp_path: Path
) -> None:
    with ris() as asked, instrument(size, language, bundle, tmp_path) as it:
        asked.entries = [worklist_entry()]
        with (tmp_path / "config.toml").open("a", encoding="utf-8") as settings:
            settings.write(
                '[exchange.worklist]\nname = "ris"\nhost = "127.0.0.1"\n'
                f'port = {asked.port}\ntitle = "PACS"\n'
            )
        of_the_clinics_list(it, language)
