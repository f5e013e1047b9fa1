"""An update of the system on a USB stick: what is offered, and asking for it.

Root's own scripts verify it and install it (``build_host/image/overlay``). The program, which may
do neither, shows what they tell and passes on what a person decides.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from device.faults import Fault
from device.language import translatable
from device.platform.clock import Clock
from device.platform.durable_files import write_atomically
from device.platform.regular_files import read_regular_file
from device.text import printable

OFFER: Final = Path("/run/dermascope-update/offer")
"""What the scripts tell: a word of how it is, the version, and the stick."""

ASKED: Final = "install-update"
"""In the folder that the service manager gives the program: systemd waits for it."""

_EVERY_SECONDS: Final = 1.0
_LIMIT: Final = 1024


class OfferState(StrEnum):
    """How an update on a stick is."""

    OFFERED = "offered"
    INSTALLING = "installing"
    FAILED = "failed"
    REFUSED = "refused"
    OLDER = "older"
    UNTRUSTED = "untrusted"
    UNTRYABLE = "untryable"
    KEYLESS = "keyless"


SAID: Final[Mapping[OfferState, tuple[str, str]]] = {
    OfferState.OFFERED: (
        translatable("the stick holds the update {version} of this instrument"),
        translatable("while nobody is examined, install it under More, About, Models"),
    ),
    OfferState.INSTALLING: (
        translatable("the update {version} is written, which takes minutes"),
        translatable("leave the stick where it is; the instrument starts again by itself"),
    ),
    OfferState.FAILED: (
        translatable("the update {version} could not be written, and nothing has changed"),
        translatable("plug the stick in again, or copy the update again"),
    ),
    OfferState.REFUSED: (
        translatable("the update {version} did not work here, and is not tried again"),
        translatable("ask whoever made it for another"),
    ),
    OfferState.OLDER: (
        translatable("the update {version} on the stick is older than what runs here"),
        translatable("take a newer one"),
    ),
    OfferState.UNTRYABLE: (
        translatable("the kernel of this device cannot try the update {version}"),
        translatable("back up, flash the card with it, and restore"),
    ),
    OfferState.KEYLESS: (
        translatable("the update {version} is tried with the key of the data partition"),
        translatable("plug in the stick with the key, then the one with the update again"),
    ),
    OfferState.UNTRUSTED: (
        translatable("the update on the stick is damaged, or its signature is not trusted here"),
        translatable("copy it again, or ask whoever made it"),
    ),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """An update on a stick.

    Attributes
    ----------
    state
        How it is.
    version
        Of the system that it brings; ``-`` where it is not known.
    """

    state: OfferState
    version: str

    @property
    def fault(self) -> Fault:
        """What is to be told of it."""
        message, action = SAID[self.state]
        return Fault(message, action, values={"version": self.version})


def read_offer(path: Path = OFFER) -> Offer | None:
    """Return what is told of an update; None where no stick holds one."""
    try:
        state, version, _ = read_regular_file(path, _LIMIT).decode("utf-8").split()
        return Offer(OfferState(state), printable(version))
    except (OSError, ValueError):
        return None


class SystemUpdate:
    """The update that a stick holds, if it holds one.

    Parameters
    ----------
    clock
        It is looked at once a second.
    folder
        The program's own in memory, which systemd watches; None where there is none.
    path
        What is told of it.

    Attributes
    ----------
    offer
        What was found last.
    """

    def __init__(self, clock: Clock, folder: Path | None, path: Path = OFFER) -> None:
        self._clock = clock
        self._folder = folder
        self._path = path
        self._looked: float | None = None
        self._fault: Fault | None = None
        self.offer: Offer | None = None

    def look(self) -> Fault | None:
        """Look at what is offered, and return what is to be told of it.

        Returns
        -------
        Fault or None
            The same object while the same is offered.
        """
        now = self._clock.monotonic()
        if self._looked is None or now - self._looked >= _EVERY_SECONDS:
            self._looked = now
            offer = read_offer(self._path)
            if offer != self.offer:
                self.offer = offer
                self._fault = offer.fault if offer else None
        return self._fault

    def install(self) -> None:
        """Ask for what is offered; how that goes is told by what is offered next."""
        offer = self.offer
        if offer and offer.state is OfferState.OFFERED and self._folder:
            # On a full disk in memory nothing is asked, and the screen offers it still.
            with contextlib.suppress(OSError):
                write_atomically(self._folder / ASKED, b"")
