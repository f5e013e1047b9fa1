from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.errors import DataError
from build_host.evaluation.saliency_faithfulness import compare_maps, segmentation_in_square
from device.diagnoses import CODES
from device.imaging.preprocessing import resize_to_input
from device.inference.calibration import probabilities
from device.inference.network import Network, NetworkOutput
from device.models.bundle import Bundle
from tests.build_host.evaluation.conftest import MAPPED, PLAIN, SIDE, SPEC

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def segmented(tmp_path: Path) -> Path:
    folder = tmp_path / "HAM10000_segmentations"
    folder.mkdir()
    mask = np.zeros((150, 200), np.uint8)
    mask[:, :100] = 255
    for name in ("one", "two"):
        Image.fromarray(mask).save(folder / f"{name}_segmentation.png")
    return tmp_path


def test_a_segmentation_is_cut_and_reduced_as_the_image_is(segmented: Path) -> None:
    lesion = segmentation_in_square(segmented, "one", SIDE)
    assert lesion.shape == (SIDE, SIDE)
    assert lesion[:, : SIDE // 2].all()
    assert not lesion[:, SIDE // 2 :].any()
    with pytest.raises(DataError, match="three_segmentation"):
        segmentation_in_square(segmented, "three", SIDE)


def test_every_kind_of_map_is_measured_on_the_same_images(
    made: tuple[Bundle, bytes], segmented: Path, picture: np.ndarray
) -> None:
    records = tuple(ImageRecord(image_id=n, lesion_id=n, dx="mel") for n in ("one", "two"))
    dataset = Dataset("drawn", records, lambda record: picture)
    rows = {
        row.method: row
        for row in compare_maps(made[0], made[0].manifest.live, made[1], dataset, segmented)
    }
    assert set(rows) == {
        "random", "centre blob", "Eigen-CAM", "class activation map",
        "class activation map, as log-odds",
        "class activation map, where it outweighs the others",
        "the same, mean over eight views", "occlusion", "RISE",
    }  # fmt: skip
    for row in rows.values():
        for figure in (row.insertion, row.deletion, row.energy_inside, row.pointing):
            assert 0.0 <= figure.low <= figure.value <= figure.high <= 1.0
    # Half of the square is inside: half of what is spread evenly is, and of what is centred.
    assert rows["random"].energy_inside.value == pytest.approx(0.5, abs=0.03)
    assert rows["centre blob"].energy_inside.value == pytest.approx(0.5, abs=0.03)
    assert rows["class activation map"].passes == 0
    assert rows["class activation map"].agreement is not None
    assert rows["class activation map"].agreement.value > 0.9
    assert rows["random"].agreement is None
    # What looks at no image is the same in every view, chance in none.
    assert rows["centre blob"].stability.value == pytest.approx(1.0)
    assert rows["random"].stability.value == pytest.approx(0.0, abs=0.05)
    alone = rows["class activation map, where it outweighs the others"].stability.value
    assert rows["the same, mean over eight views"].stability.value > max(alone, 0.99)


def test_the_diagnosis_that_is_asked_for_is_explained(
    made: tuple[Bundle, bytes], segmented: Path, picture: np.ndarray
) -> None:
    records = (ImageRecord(image_id="one", lesion_id="one", dx="mel"),)
    dataset = Dataset("drawn", records, lambda record: picture)
    own = probabilities(
        Network(made[0], made[0].manifest.live).run(resize_to_input(picture, SPEC)).logits,
        made[0].manifest.live.calibration,
    )
    least, most = CODES[int(own.argmin())], CODES[int(own.argmax())]
    rows = {
        code: compare_maps(
            made[0], made[0].manifest.live, None, dataset, segmented, lambda p, code=code: code
        )
        for code in (least, most)
    }
    assert rows[most] == compare_maps(made[0], made[0].manifest.live, None, dataset, segmented)
    # The curves are of the diagnosis's own probability.
    assert rows[least][0].insertion.value < rows[most][0].insertion.value


def test_a_flat_map_agrees_with_nothing_and_is_a_number_all_the_same() -> None:
    from build_host.evaluation.saliency_faithfulness import _agreement

    slope = np.arange(16.0).reshape(4, 4)
    assert _agreement(slope, 2 * slope + 1) == pytest.approx(1.0)
    assert _agreement(slope, -slope) == pytest.approx(-1.0)
    assert _agreement(slope, np.zeros((4, 4))) == 0.0


class LooksAtOneCorner:
    """A network that answers to how bright one corner is, and to nothing else."""

    def run(self, pixels: np.ndarray) -> NetworkOutput:
        logits = np.zeros(7, np.float32)
        logits[4] = pixels[:16, :16].mean() / 16 - 8
        return NetworkOutput(logits, None, None)


def test_a_map_of_where_the_network_looks_beats_its_inverse_both_ways() -> None:
    from build_host.evaluation.saliency_faithfulness import _curves
    from build_host.evaluation.saliency_maps import Explained

    picture = np.full((SIDE, SIDE, 3), 40, np.uint8)
    picture[:16, :16] = 250
    explained = Explained(picture, 4, LooksAtOneCorner(), PLAIN, MAPPED, 0)
    true = np.zeros((SIDE, SIDE))
    true[:16, :16] = 1.0
    right, wrong = (_curves(explained, m) for m in (true, 1.0 - true))
    assert right[0] > wrong[0] + 0.1
    assert right[1] < wrong[1] - 0.1
