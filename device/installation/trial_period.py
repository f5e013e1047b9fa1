"""The first minutes of a model that was installed: then it is confirmed, or taken back."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from device.config import Config
from device.errors import BundleError
from device.faults import Fault
from device.installation.lock import locked
from device.language import translatable
from device.models.chosen import open_bundle
from device.models.installed import (
    STARTS,
    Entry,
    Event,
    Installed,
    confirmed,
    counted,
    models_folder,
    read_installed,
    rolled_back,
    write_installed,
)
from device.platform.clock import Clock
from device.platform.logs import log_expected
from device.runtime.health import FAILURES, PartHealth, PartState

CONFIRMED_SECONDS: Final = 300.0
"""So long the instrument must have worked with a model before its trial is over."""

ROLLED_BACK: Final = translatable("the new model failed, and the one before is in use again")
TELL_THE_MAKER: Final = translatable("tell whoever made it")
TAKEN_BACK: Final = translatable("the new model fails; the one before is used after a restart")
START_AGAIN: Final = translatable("start the instrument again, and tell whoever made the model")

_log = logging.getLogger(__name__)


class TrialPeriod:
    """Watches a model on trial while the instrument is in use; does nothing for any other.

    Used by the screen's loop alone; what it writes, it writes in threads of its own.

    Parameters
    ----------
    state
        The state folder, in which models are kept.
    clock
        That the minutes are of.

    Attributes
    ----------
    fault
        That the model was taken back; None while it was not.
    """

    def __init__(self, state: Path, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._began = clock.monotonic()
        self._over = not read_installed(models_folder(state)).on_trial
        self.fault: Fault | None = None

    def watch(self, model: PartHealth) -> None:
        """Look at how the model is, and confirm it or take it back when that is decided."""
        if self._over:
            return
        if model.state is PartState.FAILING and model.failures >= FAILURES:
            self._over = True
            detail = model.fault.text if model.fault else ""
            self.fault = Fault(TAKEN_BACK, START_AGAIN, detail=detail)
            self._write(lambda: roll_back(self._state, self._clock, f"it failed in use: {detail}"))
        elif (
            model.state is PartState.WORKING
            and self._clock.monotonic() - self._began >= CONFIRMED_SECONDS
        ):
            self._over = True
            self._write(lambda: confirm(self._state, self._clock))

    def _write(self, deed: Callable[[], object]) -> None:
        def write() -> None:
            try:
                deed()
            except BundleError as error:
                log_expected(_log, error)

        threading.Thread(target=write, name="trial period").start()


def begin_trial(config: Config, state: Path, clock: Clock) -> list[Fault]:
    """Count a start of a model on trial; take it back if it does not hold, or starts too often.

    Returns
    -------
    list of Fault
        What is to be told: that a model was taken back.
    """
    folder = models_folder(state)
    installed = read_installed(folder)
    if config.model or not installed.on_trial:
        return []
    reason = ""
    if installed.starts >= STARTS:
        reason = f"it was started {installed.starts} times without working for long enough"
    else:
        try:
            open_bundle(config, state=state)
        except BundleError as error:
            reason = str(error)
    try:
        if reason:
            roll_back(state, clock, reason)
            _log.warning("a model on trial failed and was taken back")
            return [Fault(ROLLED_BACK, TELL_THE_MAKER, detail=reason)]
        with locked(folder):
            write_installed(folder, counted(read_installed(folder)))
    except (BundleError, OSError) as error:
        # On a disk that cannot be written it stays on trial.
        _log.warning("a model's start on trial was not counted (%s)", type(error).__name__)
    return []


def confirm(state: Path, clock: Clock) -> bool:
    """End the trial of the model in use: it works. Return whether it was on trial.

    Raises
    ------
    device.errors.BundleError
        If it cannot be written.
    """
    folder = models_folder(state)
    try:
        with locked(folder):
            installed = read_installed(folder)
            if not installed.on_trial:
                return False
            entry = _entry(installed, Event.CONFIRMED, clock.now())
            write_installed(folder, confirmed(installed, entry))
    except OSError as error:
        raise BundleError(f"the trial's end cannot be kept ({error.strerror})") from None
    return True


def roll_back(state: Path, clock: Clock, reason: str) -> str:
    """Put the model before in the place of the one in use; return the name of the latter's folder.

    Raises
    ------
    device.errors.BundleError
        If none was installed, or it cannot be written.
    """
    folder = models_folder(state)
    try:
        with locked(folder):
            installed = read_installed(folder)
            if not installed.current:
                raise BundleError("no model was installed; the one that ships is in use")
            entry = _entry(installed, Event.ROLLED_BACK, clock.now(), reason)
            write_installed(folder, rolled_back(installed, entry))
            return installed.current
    except OSError as error:
        raise BundleError(f"the model cannot be taken back ({error.strerror})") from None


def _entry(installed: Installed, event: Event, at: datetime, reason: str = "") -> Entry:
    told = [e.model for e in installed.history if e.folder == installed.current]
    model = told[-1] if told else installed.current
    return Entry(at=at, event=event, model=model, folder=installed.current, reason=reason)
