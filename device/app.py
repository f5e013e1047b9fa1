"""The program on the instrument: its threads, the screen's loop, and how they end.

Camera and analysis pass on their **latest** frame and finding, never a queue of them: a slow
analysis costs the freshness of the finding, never the smoothness of the preview. What must not be
lost, a press of the shutter or an examination to keep, is a command in a queue (`device.runtime`).
"""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pygame

from device.appearance import Rotation
from device.capture.source import FrameSource
from device.faults import Fault
from device.frame import Frame
from device.inference.analyzer import FrameAnalyzer
from device.installation.installer import Installer
from device.installation.system_update import SystemUpdate
from device.installation.trial_period import TrialPeriod
from device.latest import Latest
from device.optics import Optics
from device.platform.clock import Clock
from device.platform.signals import Ending
from device.platform.systemd import Notifier
from device.preferences import Preferences
from device.records.archive import Archive, PatientArchive
from device.runtime.analysis import Analysis
from device.runtime.camera import Camera
from device.runtime.clinic_list import ClinicList
from device.runtime.health import Health, Part, Watchdog
from device.runtime.inbox import Inbox
from device.runtime.messages import Burst, ExplainCapture, LiveFrame
from device.runtime.recent import RecentPictures
from device.runtime.recorder import Recorder
from device.screen.input_mapper import InputMapper
from device.screen.panel import Panel, pointer_wanted
from device.screen.renderer import Renderer
from device.screen.state import Command
from device.screen.view import LiveView, PageView
from device.selftest.background import BackgroundTest
from device.selftest.check import Checks
from device.selftest.runs import Beside
from device.session import Session

if TYPE_CHECKING:
    from device.runtime.sender import Sender

FRAMES_PER_SECOND: Final = 30
"""How often the screen is drawn, where no frame comes to be drawn."""

MAX_FRAMES_PER_SECOND: Final = 60
CLOSING_SECONDS: Final = 9.0
"""Less than systemd waits (TimeoutStopSec), with what the source takes to close."""

_log = logging.getLogger(__name__)


class App:
    """The instrument in use.

    Parameters
    ----------
    source
        An open source of frames; closed by whoever opened it, after `close`.
    analyzer
        Used by the analysis thread alone.
    renderer
        For the screen that is drawn on.
    signed_by
        The trusted key that the model's bundle is signed by.
    clock
        That everything runs by.
    preferences
        What was chosen on the screen before.
    preferences_folder
        Where preferences are kept; None to forget them.
    pedal_key
        Name of the key that a foot pedal sends, or empty.
    archive
        Keeps what the shutter takes; None to keep nothing.
    patients
        The same archive, where it holds the records of patients; else None.
    names
        The clinic's settings allow patients' names.
    clinic_list
        Asks for the clinic's worklist; None where the settings name none.
    lock_after
        Seconds without a touch after which records that a PIN opened are locked; None for never.
    optics
        How large a pixel is, where that is known; a calibration on the screen replaces it.
    notifier
        To the service manager.
    appliance
        There is nothing behind the program that a finger could reach: offer to restart and to
        switch off instead of to quit.
    rotation
        By how much the picture is turned on the screen; the renderer draws it upright.
    notices
        What was found wrong at the start and keeps nothing from working.
    ending
        Whether the program was told to end by a signal.
    selftest
        Checks the instrument while it is in use; None to check nothing.
    installer
        Installs models; None to install none.
    update
        The update of the system on a stick; None where the system has no updates.
    trial
        Watches a model that was installed; None where none can be.
    sender
        Sends what is kept to other systems; None where the settings name none.
    accelerator
        Returns why the model does not run on the Edge TPU that it is meant for, or None.

    Attributes
    ----------
    session
        What the clinician does, and what there is to be shown.
    recent
        Pictures that the present one can be compared with.
    health
        Which parts do their work.

    Raises
    ------
    device.errors.ConfigError
        If the pedal's key is none, or one that the screen needs itself.
    """

    def __init__(
        self,
        source: FrameSource,
        analyzer: FrameAnalyzer,
        renderer: Renderer,
        *,
        signed_by: str,
        clock: Clock,
        preferences: Preferences | None = None,
        preferences_folder: Path | None = None,
        pedal_key: str = "",
        archive: Archive | None = None,
        patients: PatientArchive | None = None,
        names: bool = False,
        clinic_list: ClinicList | None = None,
        lock_after: float | None = None,
        optics: Latest[Optics] | None = None,
        notifier: Notifier | None = None,
        appliance: bool = False,
        rotation: Rotation = Rotation.NONE,
        notices: Sequence[Fault] = (),
        ending: Ending | None = None,
        selftest: Beside | None = None,
        installer: Installer | None = None,
        update: SystemUpdate | None = None,
        trial: TrialPeriod | None = None,
        sender: "Sender | None" = None,
        accelerator: Callable[[], Fault | None] = lambda: None,
    ) -> None:
        self._trial = trial
        self._appliance = appliance
        self._ending = ending or Ending()
        self._renderer = renderer
        self._rotation = rotation
        self._clock = clock
        self._input = InputMapper(renderer, pedal_key)
        self.health = Health(clock)
        self._watchdog = Watchdog(notifier or Notifier({}), self.health, clock)
        inbox: Inbox[Burst | ExplainCapture, LiveFrame] = Inbox(clock)
        self.recent = RecentPictures()
        self._camera = Camera(source, inbox, self.health, clock)
        scale: Latest[Optics] = optics if optics is not None else Latest(clock)
        self._recorder = Recorder(
            archive, preferences_folder, self.recent, self.health, clock, patients, scale
        )
        self._analysis = Analysis(
            analyzer,
            inbox,
            self.health,
            clock,
            self._camera.use_field,
            self._recorder.inbox.send if archive is not None else None,
            scale,
        )
        self.session = Session(
            self._camera,
            self._analysis,
            self._recorder,
            self.recent,
            manifest=analyzer.manifest,
            signed_by=signed_by,
            clock=clock,
            source=source.name,
            preferences=preferences or Preferences(),
            optics=scale,
            appliance=appliance,
            notices=notices,
            selftest=BackgroundTest(lambda: self._test(selftest) if selftest else ()),
            installer=installer,
            update=update,
            names=names,
            clinic_list=clinic_list,
            lock_after=lock_after,
            sending_fault=lambda: sender.fault if sender else None,
            accelerator=accelerator,
        )
        self._stop = threading.Event()
        self._stop_recorder = threading.Event()
        self._threads = {
            Part.CAMERA: self._thread(Part.CAMERA, self._camera.run, self._stop),
            Part.ANALYSIS: self._thread(Part.ANALYSIS, self._analysis.run, self._stop),
            Part.RECORDER: self._thread(Part.RECORDER, self._recorder.run, self._stop_recorder),
        }
        # No part of the instrument's health: another system that hangs is not its fault.
        self._sending = (
            threading.Thread(target=sender.run, args=(self._stop,), name="sender", daemon=True)
            if sender
            else None
        )

    @property
    def frames(self) -> Latest[Frame]:
        """The camera's newest frame."""
        return self._camera.frames

    @property
    def findings(self) -> int:
        """How many findings of the live view there have been."""
        return self._analysis.live.count

    def run(self, screen: pygame.Surface, seconds: float | None = None) -> Command:
        """Run until the clinician ends it, or for so many seconds; return what is to follow."""
        for thread in self._threads.values():
            thread.start()
        if self._sending is not None:
            self._sending.start()
        panel = Panel(screen, self._rotation)
        pace = pygame.time.Clock()
        seen = 0
        end = None if seconds is None else self._clock.monotonic() + seconds
        try:
            while self.session.ending is None and not self._ending.asked.is_set():
                if end is not None and self._clock.monotonic() >= end:
                    break
                for event in pygame.event.get():
                    self._handle(panel.upright(event))
                self.session.update()
                self._watch_trial()
                view = self.session.view()
                self._renderer.draw(panel.surface, view)
                panel.show()
                self._notify_systemd(view)
                # With the camera's own beat: two clocks beside each other would miss frames.
                seen, _ = self._camera.frames.next(seen, 1.0 / FRAMES_PER_SECOND)
                pace.tick(MAX_FRAMES_PER_SECOND)
        finally:
            self._ending.noticed.set()
            self._watchdog.stopping()
            self.close()
        return self.session.ending or Command.QUIT

    def close(self) -> None:
        """End the threads. May be called more than once.

        The recorder ends last, when it has kept what the analysis gave it. A thread that hangs in
        a driver is reported and left behind.
        """
        end = self._clock.monotonic() + CLOSING_SECONDS
        self._stop.set()
        self._join(Part.CAMERA, end)
        self._join(Part.ANALYSIS, end)
        self._stop_recorder.set()
        self._join(Part.RECORDER, end)
        if self._sending is not None and self._sending.is_alive():
            # One that hangs in a network is left behind: its queue is on the disk.
            self._clock.join(self._sending, max(0.0, end - self._clock.monotonic()))

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self.session.ending = Command.QUIT
            return
        wanted = pointer_wanted(event)
        if wanted is not None:
            pygame.mouse.set_visible(wanted)
        done = self._input.event(event, self.session.state)
        if done is not None:
            self.session.handle(done)

    def _notify_systemd(self, view: PageView) -> None:
        self.health.worked(Part.SCREEN)
        fault = self.session.fault or self._recorder.fault
        if fault or not isinstance(view, LiveView) or view.field is not None:
            self._watchdog.ready()
        self._watchdog.beat(fault.text if fault else "Live")

    def _watch_trial(self) -> None:
        if self._trial is None:
            return
        self._trial.watch(self.health.report()[Part.MODEL])
        self.session.model_fault = self._trial.fault
        if self._trial.taken_back and self._appliance:
            self.session.ending = Command.RESTART

    def _test(self, selftest: Beside) -> Checks:
        return selftest(self.health.report()[Part.CAMERA], self._camera.frames.peek())

    def _join(self, part: Part, end: float) -> None:
        thread = self._threads[part]
        if thread.is_alive() and not self._clock.join(thread, end - self._clock.monotonic()):
            _log.error("the %s thread has not ended; it is left behind", part)

    @staticmethod
    def _thread(
        part: Part, run: Callable[[threading.Event], None], stop: threading.Event
    ) -> threading.Thread:
        return threading.Thread(target=run, args=(stop,), name=part, daemon=True)
