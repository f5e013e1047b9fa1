import cv2
import numpy as np
import pytest

from build_host.evaluation.saliency_maps import Explained, outweighing_map, random_map
from device.diagnoses import CODES
from device.frame import frame_now
from device.imaging.preprocessing import resize_to_input
from device.inference.analyzer import Analyzer
from device.inference.network import Network
from device.models.bundle import Bundle
from tests.build_host.evaluation.conftest import SIDE, SPEC

pytestmark = pytest.mark.tensorflow


def explained(bundle: Bundle, picture: np.ndarray, index: int, seed: int = 0) -> Explained:
    manifest = bundle.manifest
    pixels = resize_to_input(picture, SPEC)
    return Explained(
        pixels,
        index,
        Network(bundle, bundle.manifest.live),
        manifest.live.calibration,
        manifest.live.saliency,
        seed,
    )


def test_what_is_judged_is_what_the_live_view_shows_if_anything(
    made: tuple[Bundle, bytes], picture: np.ndarray
) -> None:
    shown = 0
    for index, code in enumerate(CODES):
        live = Analyzer(made[0]).explain(frame_now(picture, 0, "test"), code).values
        if live.any():
            judged = outweighing_map(explained(made[0], picture, index))
            wide = cv2.resize(live, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            np.testing.assert_allclose(judged / judged.max(), wide / wide.max(), atol=1e-5)
            shown += 1
    assert shown


def test_a_map_that_is_no_better_than_chance_is_another_for_each_image(
    made: tuple[Bundle, bytes], picture: np.ndarray
) -> None:
    one, two = (random_map(explained(made[0], picture, 4, seed)) for seed in (0, 1))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.1
