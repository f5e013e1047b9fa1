"""The first minutes of a model that was installed: then it is confirmed, or taken back."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from device.config import DEFAULT_MODEL, Config
from device.errors import BundleError
from device.faults import Fault
from device.installation.lock import locked
from device.language import translatable
from device.models.chosen import check_installed_is_used, open_bundle
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
from device.paths import shipped_models
from device.platform.clock import Clock
from device.platform.logs import log_expected
from device.runtime.health import FAILURES, PartHealth, PartState

CONFIRMED_SECONDS: Final = 300.0
"""So long the instrument must have worked with a model before its trial is over."""

ROLLED_BACK: Final = translatable("the new model failed, and {model} is in use again")
TELL_THE_MAKER: Final = translatable("tell whoever made it")
TAKEN_BACK: Final = translatable("the new model fails; {model} is used after a restart")
START_AGAIN: Final = translatable("start the instrument again, and tell whoever made the model")

_log = logging.getLogger(__name__)


class TrialPeriod:
    """Watches a model on trial while the instrument is in use; does nothing for any other.

    Used by the screen's loop alone; what it writes, it writes in threads of its own.

    Parameters
    ----------
    config
        The settings; a model that they name is on no trial.
    state
        The state folder, in which models are kept.
    clock
        That the minutes are of.

    Attributes
    ----------
    fault
        That the model was taken back, or why it could not be; None while it works.
    taken_back
        Whether a start would use another model.
    """

    def __init__(self, config: Config, state: Path, clock: Clock) -> None:
        self._config = config
        self._state = state
        self._clock = clock
        self._began = clock.monotonic()
        self._over = bool(config.model) or not read_installed(models_folder(state)).on_trial
        self.fault: Fault | None = None
        self.taken_back = False

    def watch(self, model: PartHealth) -> None:
        """Look at how the model is, and confirm it or take it back when that is decided."""
        if self.fault and not self.taken_back and model.state is PartState.WORKING:
            # It could not be taken back, and works again.
            self.fault = None
        if self._over:
            return
        if model.state is PartState.FAILING and model.failures >= FAILURES:
            self._over = True
            detail = model.fault.text if model.fault else ""
            self._write(lambda: self._take_back(detail))
        elif (
            model.state is PartState.WORKING
            and self._clock.monotonic() - self._began >= CONFIRMED_SECONDS
        ):
            self._over = True
            self._write(lambda: confirm(self._state, self._clock))

    def _take_back(self, detail: str) -> None:
        try:
            used = roll_back(self._config, self._state, self._clock, f"it failed in use: {detail}")
        except BundleError as error:
            self.fault = _kept(error, detail)
            raise
        self.fault = Fault(TAKEN_BACK, START_AGAIN, detail=detail, values={"model": used})
        # Last: whoever sees it finds the fault there.
        self.taken_back = True

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
        What is to be told: that a model was taken back, or why it could not be.
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
    if reason:
        try:
            used = roll_back(config, state, clock, reason)
        except BundleError as error:
            log_expected(_log, error)
            return [_kept(error, reason)]
        _log.warning("a model on trial failed and was taken back")
        return [Fault(ROLLED_BACK, TELL_THE_MAKER, detail=reason, values={"model": used})]
    try:
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


def roll_back(config: Config, state: Path, clock: Clock, reason: str) -> str:
    """Put a model before in the place of the one in use: the first that this device still opens.

    The one before may be signed by a key that was revoked since, or be damaged; then it is the one
    that ships. Where that does not open either, the model in use stays: nothing would start.

    Returns
    -------
    str
        Name and version of the model that the next start uses.

    Raises
    ------
    device.errors.BundleError
        If none was installed, no other opens, or it cannot be written.
    """
    check_installed_is_used(config)
    folder = models_folder(state)
    try:
        with locked(folder):
            installed = read_installed(folder)
            if not installed.current:
                raise BundleError("no model was installed; the one that ships is in use")
            to, model, passed_over = _one_that_opens(config, state, installed)
            reasons = "; passed over: ".join((reason, *passed_over))
            entry = _entry(installed, Event.ROLLED_BACK, clock.now(), reasons)
            write_installed(folder, rolled_back(installed, to, entry))
            return model
    except OSError as error:
        raise BundleError(f"the model cannot be taken back ({error.strerror})") from None


def _one_that_opens(
    config: Config, state: Path, installed: Installed
) -> tuple[str, str, tuple[str, ...]]:
    """Return folder and model of the first to go back to, and why those before it are not."""
    passed_over: list[str] = []
    for name in dict.fromkeys((installed.previous, "")):
        folder = models_folder(state) / name if name else shipped_models() / DEFAULT_MODEL
        try:
            bundle = open_bundle(config, folder, state)
        except BundleError as error:
            passed_over.append(str(error))
        else:
            return name, bundle.manifest.model_id, tuple(passed_over)
    raise BundleError(
        "{model} stays in use: no model before it opens here",
        action=translatable("install another model"),
        detail="; ".join(passed_over),
        model=_model_in_use(installed),
    )


def _kept(error: BundleError, reason: str) -> Fault:
    """Return what is to be told where a model failed, for a reason, and is in use all the same."""
    fault = error.fault
    return replace(fault, detail="; ".join(filter(None, (reason, fault.detail))))


def _entry(installed: Installed, event: Event, at: datetime, reason: str = "") -> Entry:
    model = _model_in_use(installed)
    return Entry(at=at, event=event, model=model, folder=installed.current, reason=reason)


def _model_in_use(installed: Installed) -> str:
    told = [e.model for e in installed.history if e.folder == installed.current]
    return told[-1] if told else installed.current
