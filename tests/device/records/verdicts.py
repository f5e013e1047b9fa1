"""What a look at an archive may find, after a program was killed or the power was cut."""

from device.records.encrypted_archive import EncryptedArchive
from device.records.verification import verify


class LostError(AssertionError):
    """Something that was acknowledged is not there."""


class CorruptError(AssertionError):
    """Something is half there, damaged, or came back."""


class BrokenTrailError(AssertionError):
    """The trail has a break."""


VERDICTS = (LostError, CorruptError, BrokenTrailError)


def see_whole(archive: EncryptedArchive, but: str = "\0") -> None:
    """See that all of an archive authenticates, but for what is told with some words."""
    for told in verify(archive):
        if told is None or but in told:
            continue
        if told.startswith("trail"):
            raise BrokenTrailError(told)
        raise (LostError if "the trail says that it was kept" in told else CorruptError)(told)
