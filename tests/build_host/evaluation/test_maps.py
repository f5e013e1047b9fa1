import numpy as np
import pytest

from build_host.evaluation.maps import Asked, log_odds_eight, random
from device.imaging.preprocessing import resize
from device.inference.bundle import Bundle
from device.inference.interpreter import Network
from tests.build_host.evaluation.conftest import MAPPED, PLAIN, SPEC

pytestmark = pytest.mark.tensorflow


def test_eight_views_are_turned_back_before_they_are_added(
    made: tuple[Bundle, bytes], picture: np.ndarray
) -> None:
    network = Network(made[0])
    pixels = resize(picture, SPEC)
    plain = log_odds_eight(Asked(pixels, 4, network, PLAIN, MAPPED, 0))
    turned = log_odds_eight(
        Asked(np.ascontiguousarray(np.rot90(pixels)), 4, network, PLAIN, MAPPED, 0)
    )
    np.testing.assert_allclose(np.rot90(plain), turned, atol=1e-5)


def test_a_map_that_is_no_better_than_chance_is_another_for_each_image(
    made: tuple[Bundle, bytes], picture: np.ndarray
) -> None:
    pixels = resize(picture, SPEC)
    one, two = (random(Asked(pixels, 4, Network(made[0]), PLAIN, MAPPED, n)) for n in (0, 1))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.1
