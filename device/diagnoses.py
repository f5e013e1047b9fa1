"""The seven diagnoses of HAM10000, in the one order that the whole project uses."""

from typing import Final, Literal

Code = Literal["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]

CODES: Final[tuple[Code, ...]] = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
"""HAM10000 codes; index ``i`` of every logit, probability and map is ``CODES[i]``."""

MALIGNANT: Final[frozenset[Code]] = frozenset({"akiec", "bcc", "mel"})
"""Malignant or pre-malignant diagnoses (Tschandl et al. 2018, doi:10.1038/sdata.2018.161)."""

SCREEN_ORDER: Final[tuple[Code, ...]] = ("mel", "bcc", "akiec", "nv", "bkl", "df", "vasc")
"""Fixed places on the screen: the malignant group first, then the benign one."""
