"""Who may install: where there are PINs, whoever looks after the instrument."""

from typing import Final

from device.faults import Fault
from device.language import translatable
from device.records.access import Access, Protection
from device.records.patients import Role

NOT_ALLOWED: Final = Fault(
    translatable("models and updates are installed by someone whose PIN is for service"),
    translatable("enter such a PIN under More, Lock"),
)


def may_install(access: Access | None) -> bool:
    """Return whether whoever is at the instrument may install a model or an update.

    Parameters
    ----------
    access
        What opens the records, and who did; None where no records of patients are kept.
    """
    if access is None or access.protection in (Protection.NOTHING, Protection.KEY_FILE):
        return True
    return access.role is Role.SERVICE
