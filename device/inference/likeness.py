"""Whether a lesion is unlike the same patient's other naevi: the ugly duckling.

Naevi of one person look alike, and one that does not is worth a second look (Grob and Bonerandi
1998, doi:10.1001/archderm.134.1.103-a). Compared is what the network makes of each lesion. How
often this rule is right has not been measured, as no collection at hand (HAM10000, ISIC 2017,
MILK10k, BCN20000) tells which lesions are of one patient: it points, and judges nothing.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

FEWEST: Final = 4
"""Other naevi that there must be, or nothing is said."""

_NEAREST: Final = 3
_MARGIN: Final = 1.5
"""How much farther than any other naevus is from its nearest ones."""

_LEAST: Final = 0.1
"""Of the cosine distance: naevi that look all the same make no duckling of one that nearly does."""


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """What a network makes of a lesion, to be compared with what it makes of others.

    Attributes
    ----------
    network
        Names the network: what two of them make cannot be compared.
    vector
        Its direction: int8, a byte for each part.
    """

    network: Annotated[str, msgspec.Meta(max_length=64)]
    vector: Annotated[bytes, msgspec.Meta(min_length=1, max_length=700)]


def likeness_of(network: str, embedding: NDArray[np.float32]) -> Likeness:
    """Return an embedding, float32, (n,), as it is kept."""
    largest = max(float(np.abs(embedding).max()), 1e-9)
    parts = np.rint(embedding / largest * 127).astype(np.int8)
    return Likeness(network=network, vector=parts.tobytes())


def unlike_others(one: Likeness, others: Sequence[Likeness]) -> bool:
    """Return whether a lesion is farther from its nearest naevi than any of them is from its own.

    Parameters
    ----------
    one
        The lesion.
    others
        The same patient's other naevi; those of another network are passed over, and of fewer than
        `FEWEST` nothing is said.
    """
    same = [o for o in others if o.network == one.network and len(o.vector) == len(one.vector)]
    if len(same) < FEWEST:
        return False
    vectors = np.array([_direction(o) for o in (one, *same)])
    distances = 1.0 - vectors @ vectors.T
    np.fill_diagonal(distances, np.inf)
    own = np.sort(distances[0, 1:])[:_NEAREST].mean()
    theirs = np.sort(distances[1:, 1:], axis=1)[:, :_NEAREST].mean(axis=1)
    return bool(own > max(_LEAST, _MARGIN * theirs.max()))


def _direction(likeness: Likeness) -> NDArray[np.float64]:
    parts = np.frombuffer(likeness.vector, np.int8).astype(np.float64)
    return parts / max(float(np.linalg.norm(parts)), 1e-9)
