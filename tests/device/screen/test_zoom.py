import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.screen.events import Place
from device.screen.zoom import LARGEST, WHOLE, Zoom

PICTURE = np.zeros((300, 300, 3), np.uint8)
PICTURE[200:240, 60:100] = 255
zooms = st.builds(Zoom, st.floats(1.0, LARGEST), st.floats(-1.0, 2.0), st.floats(-1.0, 2.0)).map(
    Zoom.kept_in
)


@given(zoom=zooms, times=st.floats(0.1, 10))
def test_part_stays_in_the_picture_however_it_is_made_larger(zoom: Zoom, times: float) -> None:
    larger = zoom.larger(times)
    assert 1.0 <= larger.by <= LARGEST
    half = 0.5 / larger.by
    for middle in (larger.x, larger.y):
        assert half - 1e-9 <= middle <= 1 - half + 1e-9


@given(zoom=zooms, width=st.integers(20, 400), height=st.integers(20, 400))
def test_part_fills_its_place_and_no_more(zoom: Zoom, width: int, height: int) -> None:
    part = zoom.part(PICTURE, width, height)
    assert part.shape[0] <= height + 1
    assert part.shape[1] <= width + 1
    assert max(part.shape[0] / height, part.shape[1] / width) == pytest.approx(1.0, abs=0.06)


def test_what_is_touched_comes_into_the_middle() -> None:
    spot = Place(80 / 300 * 200, 220 / 300 * 200, 200, 200)
    zoom = WHOLE.larger(4.0).centred(spot, (300, 300))
    # At four times the size the whole is not seen: it is touched again where it is seen then.
    zoom = Zoom(1.0).centred(spot, (300, 300)).larger(1.0)
    assert zoom == WHOLE
    near = Zoom(4.0, 0.3, 0.7)
    part = near.part(PICTURE, 200, 200)
    rows, columns = np.nonzero(part[:, :, 0] > 128)
    touched = Place(float(columns.mean()), float(rows.mean()), 200, 200)
    centred = near.centred(touched, (300, 300)).part(PICTURE, 200, 200)
    rows, columns = np.nonzero(centred[:, :, 0] > 128)
    assert (rows.mean(), columns.mean()) == pytest.approx((100, 100), abs=4)


def test_part_beside_is_reached_without_a_finger() -> None:
    zoom = Zoom(4.0)
    assert zoom.moved(0.3, 0).x > zoom.x
    assert zoom.moved(0, -0.3).y < zoom.y
    assert WHOLE.moved(1, 1) == WHOLE
