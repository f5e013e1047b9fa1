"""The instrument between its threads and its screen: handles user input, and says what to show.

Needs no screen: events go in, views come out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from device.clinic_orders import ClinicOrders
from device.consultation import case_of, comparable, filing_of, followed, reopened
from device.faults import Fault
from device.inference.finding import Finding
from device.installation.installer import Installer
from device.installation.system_update import SystemUpdate
from device.installations import Installations
from device.latest import Latest
from device.live_picture import LivePicture, explained
from device.models.manifest import Manifest
from device.notices import Notices
from device.optics import Optics
from device.platform.clock import Clock
from device.preferences import Preferences
from device.records.access import Protection
from device.runtime.analysis import Analysis
from device.runtime.camera import Camera
from device.runtime.clinic_list import ClinicList
from device.runtime.desk import Desk
from device.runtime.messages import (
    CalibrateOptics,
    Capture,
    ExplainCapture,
    OverlayRequest,
    Shot,
    TakeBurst,
)
from device.runtime.recent import RecentPictures
from device.runtime.recorder import Recorder
from device.runtime.requests import Decide, FindPatient, Lock, Request
from device.screen.events import Event
from device.screen.forms import DecisionForm
from device.screen.navigation import step
from device.screen.pages.base import shown
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, with_page
from device.screen.view import PageView, Snapshot
from device.selftest.background import BackgroundTest

FLASH_SECONDS: Final = 0.15
FLASHES_APART_SECONDS: Final = 0.5
"""From one flash's beginning to the next: more than three in a second can harm (WCAG 2.3.1)."""


class Session:
    """What the clinician does with the instrument, from its start to its end.

    Parameters
    ----------
    camera, analysis, recorder
        The threads' work, which takes commands and gives its newest results.
    recent
        Pictures that the present one can be compared with.
    manifest
        Of the model in use.
    signed_by
        The trusted key that the model's bundle is signed by.
    clock
        That notices are timed by.
    source
        What the frames come from, as the screen calls it.
    preferences
        What was chosen on the screen before.
    optics
        How large a pixel is, where that is known.
    appliance
        There is nothing behind the program that a finger could reach: offer to restart and to
        switch off instead of to quit.
    notices
        What was found wrong at the start and keeps nothing from working: shown one after another.
    selftest
        Checks the instrument while it is in use.
    installer
        Installs models; None to install none.
    update
        The update of the system on a stick; None where the system has no updates.
    names
        The clinic's settings allow patients' names.
    clinic_list
        Asks for the clinic's worklist; None where the settings name none.
    lock_after
        Seconds without a touch after which records that a PIN opened are locked; None for never.
    accelerator
        Returns why the model does not run on the Edge TPU that it is meant for, or None.

    Attributes
    ----------
    state
        Where the clinician is.
    ending
        How the program is to end, once that is chosen.
    model_fault
        Why the model in use may not be used any longer; None while it may.
    """

    def __init__(
        self,
        camera: Camera,
        analysis: Analysis,
        recorder: Recorder,
        recent: RecentPictures,
        *,
        manifest: Manifest,
        signed_by: str,
        clock: Clock,
        source: str,
        preferences: Preferences,
        optics: Latest[Optics] | None = None,
        appliance: bool = False,
        notices: Sequence[Fault] = (),
        selftest: BackgroundTest | None = None,
        installer: Installer | None = None,
        update: SystemUpdate | None = None,
        names: bool = False,
        clinic_list: ClinicList | None = None,
        lock_after: float | None = None,
        sending_fault: Callable[[], Fault | None] = lambda: None,
        accelerator: Callable[[], Fault | None] = lambda: None,
    ) -> None:
        self._sending_fault = sending_fault
        self._accelerator = accelerator
        self._selftest = selftest or BackgroundTest(lambda: ())
        self._installations = Installations(installer, update, recorder)
        self._orders = ClinicOrders(clinic_list, recorder, clock)
        self._camera = camera
        self._analysis = analysis
        self._recorder = recorder
        self._recent = recent
        self._signed_by = signed_by
        self._clock = clock
        self._source = source
        self._live = LivePicture(camera, analysis, recorder, manifest, optics)
        self.state = State(
            page=PageName.LIVE if preferences.limits_read else PageName.LIMITS,
            limits_read=preferences.limits_read,
            language=preferences.language,
            theme=preferences.theme,
            opacity=preferences.opacity,
            appliance=appliance,
            names=names,
            clinic_list=self._orders.name,
        )
        self.ending: Command | None = None
        self.model_fault: Fault | None = None
        self._lock_after = lock_after
        self._touched = clock.monotonic()
        self._desk = Desk()
        self._told_locked = False
        self._faulty: PageName | None = None
        self._codes_seen = 0
        self._scanned: str | None = None
        self._shot: Shot | None = None
        self._live_before: Finding | None = None
        self._flash_began = -math.inf
        self._notices = Notices(clock, notices)

    @property
    def fault(self) -> Fault | None:
        """What does not work and is to be shown in the live page's place, or None."""
        if self.model_fault is not None:
            return self.model_fault
        if self._analysis.fault or self._captured():
            return self._analysis.fault
        if self._notices.first is not None and not self.state.frozen:
            return self._notices.first
        return self._camera.fault

    def handle(self, event: Event) -> None:
        """Handle user input."""
        self._touched = self._clock.monotonic()
        capture = self._captured()
        analyzed = capture.analyzed if capture else self._analysis.live.peek()
        desk = self._recorder.desk
        context = Context(
            recent=len(comparable(self._recent.pictures(), desk, self.state)),
            explained=explained(self.state, analyzed.finding if analyzed else None),
            desk=desk,
            shot=self._shot if capture else None,
            finding=capture.analyzed.finding if capture and capture.analyzed else None,
            now=self._clock.now().astimezone(),
            appointments=self._orders.said,
            listed=self._orders.of_patient,
        )
        page = self.state.page
        self.state, command = step(self.state, event, context)
        if self.state.page is PageName.START and page is not PageName.START:
            # It is asked for in time: whoever is opened here may stand on it.
            self._orders.look()
        self._request_overlay()
        if command is not None:
            self._execute(command)

    def update(self) -> None:
        """Go back to the live view where no picture came of a shot, and notice new faults."""
        capture = self._result()
        if self.state.frozen and capture is not None and capture.analyzed is None:
            live = with_page(self.state, PageName.LIVE)
            self.state = replace(live, frozen=False, region=False)
            self._request_overlay()
            self._release_shot()
            self._notices.add(capture.fault)
        self._follow_desk()
        self._look_for_code()
        self._lock_in_time()
        self._notices.add_once("reading", self._recorder.reading_fault)
        self._notices.add_once("space", self._recorder.space_fault)
        self._notices.add_once("sending", self._sending_fault())
        self._notices.add_once("accelerator", self._accelerator())
        self._notices.add_once("update", self._installations.new_offer())
        for kept in self._recorder.news():
            # A picture that is held says itself that it is not kept.
            if kept.fault and (kept.shot is not self._shot or not self._captured()):
                self._notices.add(kept.fault)
        if self.state.page is PageName.LIVE and not self.state.frozen:
            # No other page shows them.
            self._notices.seen()

    def view(self) -> PageView:
        """Return what there is to be shown now."""
        desk = self._recorder.desk
        if desk.fault is not None and self.state.page is not self._faulty:
            # It is told where it was asked for, and nowhere else.
            desk = replace(desk, fault=None)
        snapshot = Snapshot(
            state=self.state,
            live=self._live.view(
                self.state,
                self._captured(),
                self._live_before,
                flash=self._clock.monotonic() - self._flash_began < FLASH_SECONDS,
            ),
            clock=self._clock.now().astimezone(),
            source=frame.source if (frame := self._camera.frames.peek()) else self._source,
            signed_by=self._signed_by,
            mm_per_pixel=self._live.mm_per_pixel(),
            recent=comparable(self._recent.pictures(), desk, self.state),
            fault=self.fault,
            preferences_fault=self._recorder.preferences_fault,
            checks=self._selftest.found,
            testing=self._selftest.running,
            archives=self._installations.models,
            installing=self._installations.running,
            installed=self._installations.outcome,
            update=self._installations.offer,
            desk=desk,
            case=case_of(desk, self.state),
            lesion=self.state.lesion,
            seconds=self._clock.monotonic(),
            calibration=self._recorder.calibration.peek(),
            appointments=self._orders.said,
            listed=self._orders.of_patient,
        )
        page = self.state.page
        if page == PageName.LIVE and snapshot.fault is not None:
            page = PageName.FAULT
        return shown(page, snapshot)

    def _follow_desk(self) -> None:
        """Go where a new answer of the records leads."""
        desk, before = self._recorder.desk, self._desk
        self._orders.follow(desk)
        if self.state.page is not self._faulty:
            self._faulty = None
        if desk is not before:
            self._desk = desk
            if desk.answered is not before.answered:
                self._follow_answer(desk, before)
        if desk.locked and self.state.page is PageName.PIN:
            self._told_locked = True
        elif desk.locked and not self._told_locked and not self.state.frozen:
            if self.state.page is not PageName.LIMITS:
                self._told_locked = True
                self.state = with_page(self.state, PageName.PIN)
                self._request_overlay()
        elif not desk.locked:
            self._told_locked = False

    def _follow_answer(self, desk: Desk, before: Desk) -> None:
        state = self.state
        self.state = followed(state, desk, before, self._orders.of_patient)
        if state.draft is not None and self.state.draft is None and state.frozen:
            self._let_go_of_another(self.state.page_state)
        if self.state.page is PageName.SCHEDULED and state.page is not PageName.SCHEDULED:
            self._orders.mark_seen()
        again = reopened(state, self.state)
        if again is not None:
            self._recorder.inbox.send(again)
        self._faulty = self.state.page if desk.fault else None
        if self.state.page is PageName.LIVE:
            # Other pages say it themselves.
            self._notices.add(desk.fault)
        self._request_overlay()

    def _let_go_of_another(self, form: object) -> None:
        """Release what was captured after the picture that a decision is gone on with."""
        if isinstance(form, DecisionForm) and form.subject is not self._shot:
            self.state = replace(self.state, frozen=False)
            self._release_shot()

    def _look_for_code(self) -> None:
        """Open the patient whose code is held before the camera."""
        page, codes = self.state.page, self._analysis.code
        number, code = codes.next(self._codes_seen, 0.0)
        self._codes_seen = number
        if page is PageName.LIVE:
            self._scanned = None
        if page is PageName.START and code and code != self._scanned:
            self._scanned = code
            self._touched = self._clock.monotonic()
            self.state = replace(self.state, page_state=code)
            self._send(FindPatient(code))

    def _lock_in_time(self) -> None:
        """Lock the records where nobody has touched anything for a while."""
        now = self._clock.monotonic()
        if self._lock_after is None or now - self._touched < self._lock_after:
            return
        self._touched = now
        access = self._recorder.desk.access
        if access and access.protection is Protection.PIN and not access.locked:
            self._recorder.inbox.send(Lock())

    def _execute(self, command: Command | Request) -> None:
        match command:
            case Command.QUIT | Command.RESTART | Command.POWER_OFF:
                self.ending = command
            case Command.CAPTURE:
                self._capture()
            case Command.RELEASE:
                self._release()
            case Command.CALIBRATE:
                self._calibrate()
            case Command.EXPLAIN:
                if self._captured():
                    self._analysis.inbox.send(ExplainCapture())
            case Command.SELF_TEST:
                self._selftest.start()
            case Command.LOOK_FOR_MODELS | Command.INSTALL_MODEL | Command.INSTALL_UPDATE:
                self._install(command)
            case Command.LOOK_AT_CLINIC_LIST | Command.ASK_FOR_CLINIC_LIST:
                self._show_clinic_list(anew=command is Command.ASK_FOR_CLINIC_LIST)
            case Command.SAVE_PREFERENCES:
                self._save_preferences()
            case _:
                self._send(command)

    def _send(self, request: Request) -> None:
        if isinstance(request, FindPatient):
            self._orders.look()
        self._recorder.inbox.send(request)
        if isinstance(request, Decide) and request.subject is self._shot:
            self._release()

    def _capture(self) -> None:
        self._notices.touched()
        self._shot = Shot(filing_of(self.state, self._recorder.desk))
        live = self._analysis.live.peek()
        self._live_before = live.finding if live else None
        now = self._clock.monotonic()
        if now - self._flash_began >= FLASHES_APART_SECONDS:
            self._flash_began = now
        self._camera.inbox.send(TakeBurst(self._shot))

    def _calibrate(self) -> None:
        frame = self._camera.frames.peek()
        if frame is not None:
            self._recorder.inbox.send(CalibrateOptics(frame))

    def _install(self, command: Command) -> None:
        number = self.state.page_state
        if command is Command.LOOK_FOR_MODELS:
            self._installations.look_for_models()
        elif command is Command.INSTALL_UPDATE:
            self._installations.install_update()
        elif isinstance(number, int):
            self._installations.install_model(number)

    def _show_clinic_list(self, *, anew: bool) -> None:
        if anew:
            self._orders.ask()
        else:
            self._orders.look()
        self._orders.mark_seen()

    def _save_preferences(self) -> None:
        state = self.state
        chosen = Preferences(
            language=state.language,
            theme=state.theme,
            opacity=state.opacity,
            limits_read=state.limits_read,
        )
        self._recorder.inbox.offer(chosen)

    def _release(self) -> None:
        # What is held belongs to the state before this command.
        capture = self._result()
        if capture is None:
            # It is still being taken and will be kept: it must be seen before it is released.
            self.state = replace(self.state, frozen=True)
            return
        if capture.analyzed and not self._recorder.desk.locked:
            # What is kept behind the lock is not seen there.
            lesion = capture.shot.filing.lesion
            self._recent.add(capture.analyzed.frame, capture.analyzed.finding, lesion)
        self._release_shot()

    def _release_shot(self) -> None:
        if self._shot is not None:
            self._shot.release()
            self._shot = None

    def _request_overlay(self) -> None:
        state, before = self.state, self._analysis.overlay_request.peek() or OverlayRequest()
        # No map is shown beside an earlier picture, and none may hold the comparison up.
        comparing = state.page == PageName.COMPARE
        scanning = state.page == PageName.START
        request = OverlayRequest(state.overlay and not comparing, state.code, comparing, scanning)
        if request == before:
            return
        self._analysis.overlay_request.put(request)
        if request.enabled and before.comparing and self._captured():
            self._analysis.inbox.send(ExplainCapture())

    def _result(self) -> Capture | None:
        """Return what came of the present shot, or None while nothing has."""
        capture = self._analysis.capture.peek()
        return capture if capture is not None and capture.shot is self._shot else None

    def _captured(self) -> Capture | None:
        """Return the captured picture while it is held."""
        capture = self._result()
        return capture if self.state.frozen and capture and capture.analyzed else None
