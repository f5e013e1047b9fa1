"""Models and updates on a stick: what there is, and installing it where that is allowed."""

from device.faults import Fault
from device.installation.installer import Installer
from device.installation.permission import NOT_ALLOWED, may_install
from device.installation.system_update import Offer, SystemUpdate
from device.runtime.recorder import Recorder
from device.text import printable


class Installations:
    """What a stick holds for the instrument, and what came of installing it.

    Parameters
    ----------
    installer
        Installs models; None to install none.
    update
        The update of the system on a stick; None where the system has no updates.
    recorder
        Of who is at the instrument.
    """

    def __init__(
        self, installer: Installer | None, update: SystemUpdate | None, recorder: Recorder
    ) -> None:
        self._installer = installer
        self._update = update
        self._recorder = recorder
        self._refused = False

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the archives that were found, as they can be shown."""
        return tuple(printable(p.name) for p in self._installer.found) if self._installer else ()

    @property
    def running(self) -> bool:
        """Whether something is looked for or installed."""
        return self._installer is not None and self._installer.running

    @property
    def outcome(self) -> tuple[Fault, ...]:
        """What came of what was asked for last, and why."""
        if self._refused:
            return (NOT_ALLOWED,)
        return self._installer.outcome if self._installer else ()

    @property
    def offer(self) -> Offer | None:
        """The update of the system on a stick, or None."""
        return self._update.offer if self._update else None

    def new_offer(self) -> Fault | None:
        """Return what is to be told of an update, as `SystemUpdate.look` does."""
        return self._update.look() if self._update else None

    def look_for_models(self) -> None:
        """Look for archives."""
        self._refused = False
        if self._installer:
            self._installer.look()

    def install_model(self, number: int) -> None:
        """Install one of the archives that were found, where that is allowed."""
        if self._allowed() and self._installer:
            self._installer.install(number)

    def install_update(self) -> None:
        """Install the update of the system, where that is allowed."""
        if self._allowed() and self._update:
            self._update.install()

    def _allowed(self) -> bool:
        self._refused = not may_install(self._recorder.desk.access)
        return not self._refused
