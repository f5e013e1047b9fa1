"""The start of the instrument: opens all that it works with, and runs it until it is ended."""

import logging
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pygame

from device.app import App
from device.capture.sources import open_source
from device.config import Config, records_folder, records_key_file
from device.errors import (
    BundleError,
    ConfigError,
    DermascopeError,
    RecordError,
    RecordsInUseError,
    ScreenError,
    SourceError,
)
from device.exit_status import ExitStatus
from device.faults import Fault
from device.frame import SourceKind
from device.inference.analyzer import Analyzer
from device.installation.install import install_model
from device.installation.installer import Installer
from device.installation.sticks import found_archives
from device.installation.system_update import SystemUpdate
from device.installation.trial_period import TrialPeriod, begin_trial
from device.language import translatable
from device.latest import Latest
from device.models.chosen import chosen_folder, open_bundle
from device.optics import Optics, load_optics
from device.paths import state_folder, status_folder
from device.platform.clock import Clock, clock_is_set
from device.platform.gpio_button import GpioButton
from device.platform.logs import log_expected
from device.platform.patience import Patience
from device.platform.signals import Ending
from device.platform.snapshot_button import SnapshotButton
from device.platform.systemd import Notifier
from device.preferences import Preferences, load_preferences
from device.provisioning.apply import provision_notices
from device.provisioning.data_partition import data_partition_notices
from device.records.encrypted_archive import EncryptedArchive, throwaway_archive
from device.records.orders import Scheduled
from device.runtime.clinic_list import ClinicList
from device.screen.display import close_screen, open_screen
from device.screen.input_mapper import press_shutter
from device.screen.panel import upright_size
from device.screen.renderer import Renderer
from device.screen.state import Command
from device.selftest.equipment import screen_check
from device.selftest.runs import checks_beside
from device.status.publisher import Publisher, telling
from device.status.server import ListeningAddress, listening_address

if TYPE_CHECKING:
    from device.models.bundle import Bundle
    from device.runtime.sender import Sender

_log = logging.getLogger(__name__)

CLOCK_NOT_SET: Final = translatable("The clock is not set: the times of examinations are wrong.")
SET_THE_CLOCK: Final = translatable("Have it set.")

LATE_SECONDS: Final = 60.0
"""How long a service waits for its screen and its files. With what the rest of the start takes it
is less than systemd waits (TimeoutStartSec)."""

RECORDS_SECONDS: Final = 10.0
"""How long for the folder of the examinations, without which it works too."""


def run_instrument(
    config: Config,
    clock: Clock,
    ending: Ending,
    *,
    model: Path | None = None,
    source: str | None = None,
    appliance: bool = False,
) -> ExitStatus:
    """Show the live view until someone ends it; return how the program is to exit.

    Parameters
    ----------
    config
        The settings.
    clock
        That everything runs by.
    ending
        Whether the program was told to end by a signal.
    model
        Folder of the bundle to use, where it is not the one of the settings.
    source
        Where frames come from, likewise.
    appliance
        It is a service: wait for what appears late, and offer to restart and to switch off.

    Raises
    ------
    device.errors.DermascopeError
        If something that it cannot work without is missing or wrong.
    """
    notifier = Notifier()
    notices = provision_notices() + data_partition_notices()
    address = listening_address(config.status_address) if config.status_address else None
    notices += unreachable_status(address)
    folder = state_folder()
    if model is None:
        notices += begin_trial(config, folder, clock)

    def patience(seconds: float) -> Patience:
        def waiting(error: Exception) -> None:
            if isinstance(error, DermascopeError):
                log_expected(_log, error)
                notifier.status(f"Waiting: {error.fault.text}")

        return Patience(clock, seconds if appliance else 0.0, ending.asked, waiting)

    late = patience(LATE_SECONDS)
    # One that is there and does not hold will not become better by waiting.
    missing = () if (model or chosen_folder(config)).is_dir() else (BundleError,)
    bundle = late.until_it_works(lambda: open_bundle(config, model), *missing)
    analyzer = Analyzer(bundle, config.threads, clock)
    with ExitStack() as opened:
        frames = opened.enter_context(
            late.until_it_works(
                lambda: open_source(source or config.source, clock, config.camera_size),
                SourceError,
            )
        )
        screen = late.until_it_works(
            lambda: open_screen((config.width, config.height), config.fullscreen), ScreenError
        )
        opened.callback(close_screen)
        if frames.kind is SourceKind.CAMERA:
            archive = open_archive(config, clock, patience(RECORDS_SECONDS), notices)
            opened.callback(archive.close)
        else:
            archive = opened.enter_context(throwaway_archive())
        ending.if_it_hangs.callback(archive.close)
        optics: Latest[Optics] = Latest(clock)
        calibrated = open_optics(folder, notices)
        if calibrated is not None:
            optics.put(calibrated)
        sends = frames.kind is SourceKind.CAMERA and (config.exchange.dicom or config.exchange.fhir)
        app = App(
            frames,
            analyzer,
            Renderer(upright_size(screen.get_size(), config.rotation), bundle.manifest),
            signed_by=bundle.signed_by,
            clock=clock,
            preferences=load_preferences(
                folder, Preferences(language=config.language, theme=config.theme)
            ),
            preferences_folder=folder,
            pedal_key=config.pedal_key,
            archive=archive,
            patients=archive,
            names=config.patient_names,
            clinic_list=open_clinic_list(config, clock)
            if frames.kind is SourceKind.CAMERA
            else None,
            lock_after=config.lock_minutes * 60.0 or None,
            optics=optics,
            notifier=notifier,
            appliance=appliance,
            rotation=config.rotation,
            notices=notices,
            ending=ending,
            selftest=checks_beside(
                config,
                clock,
                folder,
                model,
                screen_check(pygame.display.get_driver().lower(), screen.get_size()),
            ),
            installer=Installer(
                found_archives, lambda path: install_model(path, config, folder, clock)
            ),
            update=SystemUpdate(clock, status_folder()),
            trial=TrialPeriod(config, folder, clock) if model is None else None,
            sender=open_sender(config, clock, archive, bundle, optics) if sends else None,
            accelerator=lambda: analyzer.fault,
        )
        ending.if_it_hangs.callback(app.close)
        if config.shutter_pin is not None:
            opened.enter_context(GpioButton(config.shutter_pin, press_shutter, clock))
        opened.enter_context(SnapshotButton(press_shutter))
        _log.info("started: model %s, source %s", bundle.manifest.model_id, frames.kind)
        publisher = Publisher(
            bundle.manifest.model_id,
            app.health,
            app.frames,
            lambda: app.findings,
            clock,
            records_folder(config),
            status_folder(),
        )
        opened.enter_context(telling(publisher, address, clock))
        command = app.run(screen)
        _log.info("ended: %s", command)
    return {
        Command.RESTART: ExitStatus.RESTART,
        Command.POWER_OFF: ExitStatus.POWER_OFF,
    }.get(command, ExitStatus.OK)


def unreachable_status(address: ListeningAddress | None) -> list[Fault]:
    """Return that nobody can ask for the status yet: it is told once there is a network."""
    try:
        if address is not None:
            address.resolved()
    except ConfigError as error:
        return [error.fault]
    return []


def open_archive(
    config: Config, clock: Clock, patience: Patience, notices: list[Fault]
) -> EncryptedArchive:
    """Return the clinic's archive, and tell what keeps it from being written or ordered by time."""
    archive = EncryptedArchive(
        records_folder(config),
        clock,
        create=not config.records_folder,
        share=config.records_share / 100,
        key_file=records_key_file(config),
    )
    try:
        patience.until_it_works(archive.open, RecordError)
    except RecordsInUseError:
        raise
    except RecordError as error:
        log_expected(_log, error)
        notices.append(error.fault)
    if archive.read_only:
        told = archive.unwritable()
        log_expected(_log, told)
        notices.append(told.fault)
    now, last = clock.now(), archive.last_taken
    if not clock_is_set(now) or (last is not None and now < last):
        _log.warning("the clock is not set")
        notices.append(Fault(CLOCK_NOT_SET, SET_THE_CLOCK))
    return archive


def open_sender(
    config: Config,
    clock: Clock,
    archive: EncryptedArchive,
    bundle: "Bundle",
    optics: Latest[Optics],
) -> "Sender":
    """Return what sends the examinations to the targets of the settings."""
    # Loaded only where there is something to be done with it.
    from device.interop.equipment import equipment_of
    from device.interop.gather import Source
    from device.interop.targets import connections
    from device.runtime.sender import Sender

    source = Source(
        pictures=archive,
        patients=archive,
        classes=bundle.manifest.classes,
        equipment=equipment_of(config.exchange),
        optics=optics.peek,
    )
    targets = connections(config.exchange)
    return Sender(state_folder(), archive, source, config.exchange, targets, clock)


def open_clinic_list(config: Config, clock: Clock) -> ClinicList | None:
    """Return what asks for the clinic's worklist, or None where the settings name none."""
    peer = config.exchange.worklist
    if peer is None:
        return None

    def find(day: date) -> tuple[Scheduled, ...]:
        # Loaded only once it is asked for.
        from device.interop.dicom_worklist import find_scheduled

        return find_scheduled(peer, day)

    return ClinicList(peer.name, find, clock)


def open_optics(folder: Path, notices: list[Fault]) -> Optics | None:
    """Return how large a pixel is, or tell why it is not known."""
    try:
        return load_optics(folder)
    except ConfigError as error:
        # Lengths in millimetres are missed; an instrument that does not start is missed more.
        log_expected(_log, error)
        notices.append(error.fault)
        return None
