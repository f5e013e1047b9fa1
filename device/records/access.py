"""How an archive is locked, and who opened it."""

from dataclasses import dataclass
from enum import StrEnum

from device.records.patients import Label, Role


class Protection(StrEnum):
    """What opens the records."""

    UNKNOWN = "unknown"
    """They could not be looked at so far: nobody can tell who may see what."""
    NOTHING = "nothing"
    """The key lies beside them: whoever has the disk reads them. The screen says so."""
    KEY_FILE = "key file"
    """A key that the integrator put elsewhere, such as on another disk or in a TPM."""
    PIN = "PIN"
    """A PIN."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a PIN.

    Attributes
    ----------
    name
        As the clinic calls them; one PIN each. Stands in the trail.
    role
        What they may do.
    """

    name: Label
    role: Role


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see the records at this moment.

    Attributes
    ----------
    protection
        What opens them.
    holder
        Who opened them; None while they are locked, or nothing was asked of them yet.
    """

    protection: Protection
    holder: Holder | None

    @property
    def locked(self) -> bool:
        """Whether a PIN is to be entered, or a key file to be put in its place."""
        known = self.protection in (Protection.KEY_FILE, Protection.PIN)
        return known and self.holder is None

    @property
    def role(self) -> Role | None:
        """Of whoever opened them, or None."""
        return self.holder.role if self.holder else None
