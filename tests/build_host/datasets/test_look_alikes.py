import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from build_host.datasets import look_alikes
from build_host.datasets.look_alikes import (
    ALIKE,
    ALIKE_CROPPED,
    SIDE,
    LookAlike,
    correlation_of_details,
    find_look_alikes,
)
from device.diagnoses import CODES
from tests.build_host import drawn

Pixels = NDArray[np.uint8]


def lesion(dx: str, share: float = 1.0) -> Pixels:
    """Return a diagnosis's lesion as it is compared, or a part of the picture about its middle."""
    canvas = np.asarray(drawn.canvases()[dx])
    edge = round(len(canvas) * (1 - share) / 2)
    part = canvas[edge : len(canvas) - edge, edge : len(canvas) - edge]
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def in_other_colours(pixels: Pixels) -> Pixels:
    return np.clip(pixels * np.array([0.8, 1.0, 1.15]) + 12, 0, 255).astype(np.uint8)


def round_spot(seed: int) -> Pixels:
    """Return a round spot with a blurred edge on skin of its own."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    inside = 1 / (1 + np.exp((np.hypot(x, y) - 22) / 4))[:, :, None]
    colour = np.array([226, 178, 156]) * (1 - inside) + np.array([120, 80, 60]) * inside
    texture = random.normal(0, 4, (SIDE // 2, SIDE // 2)).astype(np.float32)
    colour += cv2.resize(texture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)[:, :, None]
    return np.clip(colour, 0, 255).astype(np.uint8)


def pairs(*images: Pixels, sources: list[int] | None = None) -> list[LookAlike]:
    """Return which look like the last one, which tests, if all others train."""
    of = np.array(sources or range(len(images)), dtype=np.int64)
    parts = np.array([0] * (len(images) - 1) + [2])
    return find_look_alikes(np.stack(images), of, parts)


@pytest.mark.parametrize("share", [1.0, 0.87, 0.75, 0.66, 0.57])
@pytest.mark.parametrize("recoloured", [False, True])
@pytest.mark.parametrize("dx", ["bcc", "mel", "nv"])
def test_the_same_picture_is_found_cropped_and_in_other_colours(
    dx: str, recoloured: bool, share: float
) -> None:
    other = lesion(dx, share)
    if recoloured:
        other = in_other_colours(other)
    for one, two in ((lesion(dx), other), (other, lesion(dx))):
        (found,) = pairs(one, lesion("df"), two)
        assert (found.first, found.second) == (0, 2)
        assert ALIKE <= found.correlation <= 1.0 + 1e-6


def test_different_lesions_are_not_alike() -> None:
    for number, dx in enumerate(CODES):
        others = [lesion(other) for other in CODES[:number] + CODES[number + 1 :]]
        assert pairs(*others, lesion(dx)) == []


def test_two_round_spots_are_not_alike_although_they_look_the_same_from_afar() -> None:
    spots = [round_spot(seed) for seed in range(4)]
    # Without their details they would be one.
    small = np.array([cv2.resize(s, (24, 24), interpolation=cv2.INTER_AREA) for s in spots], float)
    small -= small.mean(axis=(1, 2), keepdims=True)
    flat = small.reshape(4, -1) / np.linalg.norm(small.reshape(4, -1), axis=1, keepdims=True)
    assert (flat @ flat.T).min() > 0.98
    assert pairs(*spots) == []
    (again,) = pairs(*spots, in_other_colours(spots[1]))
    assert again.first == 1


def test_plain_skin_and_one_colour_alone_are_like_nothing() -> None:
    plain = [np.full((SIDE, SIDE, 3), value, np.uint8) for value in (0, 128, 255)]
    assert pairs(*plain, plain[1]) == []


@pytest.mark.parametrize("dx", ["bcc", "mel", "nv"])
def test_the_same_picture_is_found_within_one_source(dx: str) -> None:
    for again in (lesion(dx), in_other_colours(lesion(dx)), lesion(dx, 0.75)):
        for one, two in ((lesion(dx), again), (again, lesion(dx))):
            (found,) = pairs(one, lesion("df"), two, sources=[0, 0, 0])
            assert (found.first, found.second) == (0, 2)
            # A part is not taken for the whole as lightly as in another source.
            assert found.correlation >= ALIKE_CROPPED


def test_a_part_of_the_same_source_has_to_agree_more(monkeypatch: pytest.MonkeyPatch) -> None:
    between = (ALIKE + ALIKE_CROPPED) / 2
    monkeypatch.setattr(look_alikes, "_agreement", lambda *_: between)
    whole, part = lesion("mel"), lesion("mel", 0.66)
    assert len(pairs(part, whole, sources=[0, 1])) == 1
    assert pairs(part, whole, sources=[0, 0]) == []
    assert len(pairs(whole, whole, sources=[0, 0])) == 1


def test_few_numbers_miss_no_pair_that_whole_pictures_find() -> None:
    images = np.stack(
        [lesion(dx, share) for dx in CODES for share in (1.0, 0.9, 0.7)]
        + [round_spot(seed) for seed in range(8)]
    )
    rows = np.arange(len(images))
    whole = look_alikes._descriptors(images, rows, 1.0)
    short = look_alikes._Projection(whole[::4]).shortened(whole)
    assert short.shape[1] < whole.shape[1] / 10
    assert (short @ short.T >= whole @ whole.T - 1e-5).all()


def test_details_agree_with_themselves_wherever_the_part_lies() -> None:
    whole = lesion("bkl")
    assert correlation_of_details(whole, whole) == pytest.approx(1.0, abs=1e-4)
    canvas = np.asarray(drawn.canvases()["bkl"])
    side = round(0.75 * len(canvas))
    aside = canvas[:side, len(canvas) - side :]
    part = np.asarray(cv2.resize(aside, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    assert correlation_of_details(whole, part) > 0.9
    assert correlation_of_details(part, whole) == correlation_of_details(whole, part)
    assert correlation_of_details(whole, lesion("vasc")) < ALIKE


def test_only_images_of_two_parts_are_compared_and_the_earlier_comes_first() -> None:
    same = lesion("mel")
    for parts, expected in (
        ([2, 0, 1], {(1, 2), (1, 0), (2, 0)}),
        ([0, 0, 2], {(0, 2), (1, 2)}),
        ([1, 1, 2], {(0, 2), (1, 2)}),
        ([0, 0, 0], set()),
        ([2, 2, 2], set()),
        ([0, -1, -1], set()),
    ):
        for sources in ([0, 0, 0], [0, 1, 2]):
            found = find_look_alikes(np.stack([same] * 3), np.array(sources), np.array(parts))
            assert {(p.first, p.second) for p in found} == expected
