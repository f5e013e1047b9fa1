"""Who may do what with the records: one small table, the same in every clinic."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from device.errors import NotAllowedError
from device.language import translatable
from device.records.patients import Role


class Permission(StrEnum):
    """What can be done with the records."""

    CAPTURE = "capture"
    """Keep pictures, and what is said and measured of them."""
    READ = "read"
    """See patients, lesions and examinations."""
    ENTER = "enter"
    """Add and change patients and lesions, and file examinations."""
    DECIDE = "decide"
    """Enter the decision of an examination."""
    DELETE = "delete"
    """Delete patients and examinations, by hand or by the rule of retention."""
    EXPORT = "export"
    """Take records out of the instrument in a form that others can read."""
    BACKUP = "backup"
    """Write an encrypted copy, and verify the archive."""
    RESTORE = "restore"
    """Make an archive of an encrypted copy."""
    PINS = "pins"
    """Add, replace and remove PINs; everyone may change their own."""


ALLOWED: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.CLINICIAN: frozenset(Permission),
    Role.FIELD: frozenset(
        {Permission.CAPTURE, Permission.READ, Permission.ENTER, Permission.DECIDE}
    ),
    Role.SERVICE: frozenset({Permission.BACKUP, Permission.RESTORE}),
}
"""Service looks after the instrument and sees no patient. Field workers take pictures, and refer;
they neither delete nor take anything out."""


def may(role: Role | None, permission: Permission) -> bool:
    """Return whether a role is allowed something; nobody is allowed anything while it is locked."""
    return role is not None and permission in ALLOWED[role]


def not_allowed(role: Role | None, permission: Permission) -> NotAllowedError:
    """Return the error that whoever opened the records may not do something with them."""
    return NotAllowedError(
        translatable("this is not allowed with your PIN"),
        action=translatable("ask someone whose PIN allows it"),
        detail=f"{role}: {permission}",
    )
