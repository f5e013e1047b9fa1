"""What the instrument asks of a place where examinations are kept."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from device.frame import Frame
from device.imaging.abcd import AbcdMeasures
from device.inference.finding import Finding
from device.records.model import Examination


class Archive(Protocol):
    """Where examinations are kept. Used by the recorder's thread alone."""

    @property
    def permanent(self) -> bool:
        """Whether what is kept here outlives the program."""
        ...

    def keep(
        self,
        frame: Frame,
        finding: Finding | None,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
    ) -> str:
        """Keep an examination and return its identifier once it cannot be lost.

        Parameters
        ----------
        frame
            The picture.
        finding
            What the model said of it; None where it has not been judged yet.
        flags
            Names of the operating points that the finding reaches.
        measures
            Of the lesion, where an outline was found.

        Raises
        ------
        device.errors.RecordError
            If it cannot be kept; what was there before is untouched.
        """
        ...

    def complete(
        self,
        identifier: str,
        finding: Finding,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
    ) -> None:
        """Write the finding of a picture that was kept before it was judged.

        Parameters are those of `keep`, and what it returned.

        Raises
        ------
        device.errors.RecordError
            If it cannot be written; the picture is still kept.
        """
        ...

    def identifiers(self) -> list[str]:
        """Return the examinations that are kept, in the order in which they were."""
        ...

    def read(self, identifier: str) -> Examination:
        """Return a kept examination.

        Raises
        ------
        device.errors.RecordError
            If there is none of that name, or it is damaged.
        """
        ...

    def measure(self) -> Iterator[None]:
        """Add up the room that is taken, an examination a step."""
        ...

    def room(self) -> int | None:
        """Return about how many more examinations there is room for, or None if unknown."""
        ...
