"""Lesions of the training images that look most like the one in the picture.

A picture explains more than a heat map: of the sixteen that a network finds most alike, how many
were what? No image is in the index, only what the network makes of each lesion.
"""

import io
from tokenize import TokenError
from typing import Final
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES, Code
from device.errors import BundleError
from device.models.bundle import Bundle

NEIGHBOURS: Final = 16
"""As in the studies that compared such an index with a classifier (Tschandl et al. 2019,
doi:10.1111/bjd.17189)."""

_UNREADABLE: Final = (
    ValueError, KeyError, OSError, EOFError, TypeError, RuntimeError, MemoryError, BadZipFile,
    TokenError,
)  # fmt: skip
"""What NumPy raises of a file that is no such archive, or a damaged one."""

_LARGEST: Final = 64 << 20
"""Bytes of all arrays together: more than any manifest may name."""

_VECTORS: Final = "vectors"
_DIAGNOSES: Final = "diagnoses"


class SimilarCases:
    """The index of a bundle.

    Parameters
    ----------
    bundle
        A verified bundle that has one.

    Raises
    ------
    device.errors.BundleError
        If the file is not what the manifest says.
    """

    def __init__(self, bundle: Bundle) -> None:
        section = bundle.manifest.similar_cases
        where = f"{bundle.folder}: {section.file if section else 'the index of similar cases'}"
        try:
            _check_size(bundle.similar_cases)
            # Never a pickle: it is data, not code.
            with np.load(io.BytesIO(bundle.similar_cases), allow_pickle=False) as arrays:
                vectors, diagnoses = arrays[_VECTORS], arrays[_DIAGNOSES]
        except _UNREADABLE as error:
            raise BundleError(f"{where} cannot be read ({type(error).__name__})") from None
        if (
            section is None
            or vectors.dtype != np.int8
            or vectors.shape != (section.lesions, section.dimensions)
            or diagnoses.dtype != np.uint8
            or diagnoses.shape != (section.lesions,)
            or (diagnoses >= len(CODES)).any()
        ):
            raise BundleError(f"{where} is not as the manifest says; the bundle was made wrongly")
        self._vectors = vectors.astype(np.float32)
        self._vectors /= np.maximum(np.linalg.norm(self._vectors, axis=1, keepdims=True), 1.0)
        self._diagnoses = diagnoses

    def nearest(self, embedding: NDArray[np.float32], count: int = NEIGHBOURS) -> tuple[Code, ...]:
        """Return the diagnoses of the lesions that are most alike, the likest first.

        Parameters
        ----------
        embedding
            Of the picture, as the network gives it: float32, (n,).
        """
        length = max(float(np.linalg.norm(embedding)), 1e-9)
        alike = self._vectors @ (embedding / length)
        order = np.argsort(-alike, kind="stable")[:count]
        return tuple(CODES[i] for i in self._diagnoses[order])


def _check_size(content: bytes) -> None:
    """Check that what is in an archive takes little memory: a compressed one may be of any size.

    Raises
    ------
    ValueError
        If it takes more than an index may.
    """
    with ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
            raise ValueError("it is too large")


def encode_cases(vectors: NDArray[np.float32], diagnoses: NDArray[np.int64]) -> bytes:
    """Return an index as it is kept in a bundle.

    Parameters
    ----------
    vectors
        An embedding for each lesion: float32, (n, d).
    diagnoses
        Index into `device.diagnoses.CODES` of each: int64, (n,).
    """
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    largest = np.abs(vectors / lengths).max(axis=1, keepdims=True)
    # Each by its own largest part: only directions are compared.
    small = np.rint(vectors / lengths / np.maximum(largest, 1e-9) * 127).astype(np.int8)
    content = io.BytesIO()
    np.savez(content, **{_VECTORS: small, _DIAGNOSES: diagnoses.astype(np.uint8)})
    return content.getvalue()
