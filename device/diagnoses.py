"""The seven diagnoses of HAM10000, in the one order that the whole project uses."""

from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """A HAM10000 code."""

    AKIEC = "akiec"
    BCC = "bcc"
    BKL = "bkl"
    DF = "df"
    MEL = "mel"
    NV = "nv"
    VASC = "vasc"


CODES: Final[tuple[Code, ...]] = tuple(Code)
"""Index ``i`` of every logit, probability and map is ``CODES[i]``."""

MALIGNANT: Final[frozenset[Code]] = frozenset({Code.AKIEC, Code.BCC, Code.MEL})
"""Malignant or pre-malignant diagnoses (Tschandl et al. 2018, doi:10.1038/sdata.2018.161)."""

SCREEN_ORDER: Final[tuple[Code, ...]] = (
    Code.MEL, Code.BCC, Code.AKIEC, Code.NV, Code.BKL, Code.DF, Code.VASC
)  # fmt: skip
"""Fixed places on the screen: the malignant group first, then the benign one."""
