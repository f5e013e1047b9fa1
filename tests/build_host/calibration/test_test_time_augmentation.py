import numpy as np
import pytest

from build_host.calibration.test_time_augmentation import choose_averaging
from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.evaluation.inference import mean_logits_over_views
from device.capture.demo import SCENES, demo_frame
from device.diagnoses import CODES
from device.inference.calibration import probabilities
from device.inference.network import Network
from device.models.bundle import Bundle


@pytest.fixture(scope="module")
def views() -> list[np.ndarray]:
    """Return square pictures of drawn lesions."""
    frames = [demo_frame(scene).pixels[:, 128:896][::4, ::4] for scene in SCENES[:4]]
    return [np.rot90(f, turn).copy() for f in frames for turn in range(4)]


def labelled(views: list[np.ndarray], codes: list[str]) -> Dataset:
    records = tuple(
        ImageRecord(image_id=str(i), lesion_id=f"l{i}", dx=code) for i, code in enumerate(codes)
    )
    return Dataset("drawings", records, lambda record: views[int(record.image_id)])


def averaged(bundle: Bundle, views: list[np.ndarray]) -> np.ndarray:
    network = Network(bundle, bundle.manifest.live)
    return np.array([mean_logits_over_views(network, bundle.manifest.live.input, v) for v in views])


def test_averaging_is_chosen_where_the_average_is_right(
    bundle: Bundle, views: list[np.ndarray]
) -> None:
    calibration = bundle.manifest.live.calibration
    means = averaged(bundle, views)
    right = [CODES[i] for i in probabilities(means, calibration).argmax(axis=1)]
    dataset = labelled(views, right)
    # What it would be against: logits that speak against the right diagnosis.
    plain = means.copy()
    plain[np.arange(len(means)), dataset.labels] -= 5.0
    assert choose_averaging(bundle, dataset, plain, calibration, quiet=True) == "dihedral"


def test_averaging_that_changes_nothing_is_not_chosen(
    bundle: Bundle, views: list[np.ndarray]
) -> None:
    dataset = labelled(views, ["nv"] * len(views))
    means = averaged(bundle, views)
    calibration = bundle.manifest.live.calibration
    assert choose_averaging(bundle, dataset, means, calibration, quiet=True) == "none"
