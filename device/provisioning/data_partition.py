"""What is wrong with a card's data partition, as the start of the machine found it."""

import os
from collections.abc import Mapping
from typing import Final, NamedTuple

from device.faults import Fault
from device.language import translatable
from device.provisioning.apply import beside_settings

FOUND: Final = "data"
"""One of the words below, beside the program's settings; not there where nothing is wrong."""


class _Told(NamedTuple):
    message: str
    action: str


_KNOWN: Final = {
    "absent": _Told(
        translatable("the card has no data partition"),
        translatable("flash the card again"),
    ),
    "unmade": _Told(
        translatable("the data partition cannot be made"),
        translatable("use another card"),
    ),
    "damaged": _Told(
        translatable("the data partition is damaged"),
        translatable("copy the card, and have it mended with e2fsck"),
    ),
    "locked": _Told(
        translatable("the data partition is locked, and its key is not here"),
        translatable("plug in the stick with the key, or correct the settings, and start again"),
    ),
    "unknown": _Told(
        translatable("the data partition is not made yet, as the settings are wrong"),
        translatable("correct them on the boot partition, and start again"),
    ),
    "plain": _Told(
        translatable("the data partition is not encrypted: it was made before that was set"),
        translatable("back up, flash the card again, and restore"),
    ),
}


def data_partition_notices(environment: Mapping[str, str] = os.environ) -> list[Fault]:
    """Return what is wrong with the data partition.

    Parameters
    ----------
    environment
        Names the program's settings (``DERMASCOPE_CONFIG``); what was found lies beside them.
    """
    told = _KNOWN.get(beside_settings(FOUND, environment).strip())
    return [Fault(told.message, told.action)] if told else []
