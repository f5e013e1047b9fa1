"""Examinations as referral pages in a folder: no name of a file tells of whom."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.interop.files import remove_unfinished, write_export
from device.interop.referral_page import Paper, referral_page
from device.interop.study import ExaminedLesion
from device.language import Language

Draw = Callable[[ExaminedLesion], NDArray[np.uint8] | None]
"""Returns a picture with the saliency map laid over it, or None."""


def export_pages(
    examined: Iterable[ExaminedLesion],
    folder: Path,
    language: Language,
    paper: Paper,
    draw: Draw = lambda one: None,
) -> int:
    """Write a page about each examination, and return how many there were.

    Raises
    ------
    device.errors.ExportError
        If a file cannot be written, or what it takes is not installed.
    """
    remove_unfinished(folder, "*.pdf")
    count = 0
    for one in examined:
        page = referral_page(one, language, paper, draw(one))
        write_export(folder / f"{one.report_uuid.hex[:16]}.pdf", page)
        count += 1
    return count
