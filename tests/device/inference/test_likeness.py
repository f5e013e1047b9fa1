"""A lesion that is unlike the same patient's other naevi."""

import msgspec
import numpy as np
import pytest

from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.inference.likeness import FEWEST, Likeness, likeness_of, unlike_others

SIZE = 64


def lesions(count: int, spread: float, seed: int = 1, centre: int = 0) -> list[Likeness]:
    """Return what a network makes of lesions that look alike."""
    random = np.random.default_rng(seed)
    common = np.zeros(SIZE, np.float32)
    common[centre] = 1.0
    noise = random.normal(size=(count, SIZE)).astype(np.float32) / SIZE**0.5
    return [likeness_of("one", common + spread * each) for each in noise]


@pytest.mark.parametrize("spread", [0.1, 0.4])
def test_stranger_is_told_and_one_of_them_is_not(spread: float) -> None:
    *naevi, same = lesions(9, spread)
    (stranger,) = lesions(1, spread, centre=5)
    assert unlike_others(stranger, naevi)
    assert not unlike_others(same, naevi)


def test_of_too_few_or_of_another_network_nothing_is_said() -> None:
    naevi = lesions(FEWEST, 0.1)
    (stranger,) = lesions(1, 0.1, centre=5)
    assert unlike_others(stranger, naevi)
    assert not unlike_others(stranger, naevi[1:])
    other = msgspec.structs.replace(naevi[0], network="two")
    longer = msgspec.structs.replace(naevi[0], vector=naevi[0].vector + b"\0")
    for no_use in (other, longer):
        assert not unlike_others(stranger, [no_use, *naevi[1:]])


def test_naevi_that_are_all_the_same_make_no_duckling_of_one_that_nearly_is() -> None:
    naevi = lesions(6, 0.0)
    (nearly,) = lesions(1, 0.3)
    assert not unlike_others(nearly, naevi)


def test_naevi_that_differ_among_themselves_make_none_of_one_that_differs_as_much() -> None:
    naevi = [lesion for centre in range(6) for lesion in lesions(1, 0.1, centre=centre)]
    (another,) = lesions(1, 0.1, centre=9)
    assert not unlike_others(another, naevi)


def test_direction_is_kept_in_a_byte_for_each_part_whatever_its_length() -> None:
    embedding = np.linspace(-3, 3, SIZE, dtype=np.float32)
    for scale in (1e-6, 1.0, 1e6):
        kept = likeness_of("one", scale * embedding)
        assert len(kept.vector) == SIZE
        assert np.frombuffer(kept.vector, np.int8).max() == 127
    likeness_of("one", np.zeros(4, np.float32))


def test_captured_picture_has_one_where_the_network_gives_it(
    analyzer: Analyzer, frames: tuple[Frame, ...]
) -> None:
    _, finding = analyzer.analyze_burst(frames[:1])
    spec = analyzer.manifest.network_for(as_captured=True)
    assert spec.outputs.embedding is not None
    assert finding.likeness is not None
    assert spec.sha256.startswith(finding.likeness.network)
    assert len(finding.likeness.vector) == spec.outputs.embedding.shape[0]
    assert analyzer.analyze(frames[0]).likeness is None
