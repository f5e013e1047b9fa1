from pathlib import Path

import numpy as np
from PIL import Image

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.reporting.example_sheet import Example, choose_examples, example_sheet
from device.diagnoses import CODES
from device.models.bundle import Bundle
from tests.build_host import drawn


def example(name: str, dx: str, predicted: str, probability: float) -> Example:
    return Example(ImageRecord(image_id=name, lesion_id=name, dx=dx), predicted, probability)


def test_correct_examples_are_typical_and_wrong_ones_the_most_confident() -> None:
    correct = [example(f"hit{p}", "mel", "mel", p / 10) for p in (9, 3, 8, 5, 6, 4)]
    wrong = [example(f"miss{p}", "mel", "nv", p / 10) for p in (4, 9, 6)]
    chosen = {code: (h, f) for code, h, f in choose_examples(correct + wrong)}
    assert tuple(chosen) == CODES
    found, missed = chosen["mel"]
    assert [e.record.image_id for e in found] == ["hit5", "hit6"]
    assert [e.record.image_id for e in missed] == ["miss9", "miss6"]
    assert chosen["df"] == ([], [])


def test_few_correct_examples_are_all_shown() -> None:
    ((_, found, missed),) = [
        c for c in choose_examples([example("a", "df", "df", 0.4)]) if c[0] == "df"
    ]
    assert (len(found), missed) == (1, [])


def test_the_sheet_has_an_example_and_its_segmentation_in_the_row_of_its_diagnosis(
    bundle: Bundle, tmp_path: Path
) -> None:
    # Without a stop, the central square is shown, as large as it is.
    pixels = np.asarray(drawn.picture("vasc", 0))
    record = ImageRecord(image_id="one", lesion_id="one", dx="vasc")
    dataset = Dataset("drawn", (record,), lambda record: pixels)
    plain = example_sheet(bundle, dataset, tmp_path)
    (tmp_path / "HAM10000_segmentations").mkdir()
    mask = np.zeros((150, 200), np.uint8)
    mask[50:100, 80:120] = 255
    Image.fromarray(mask).save(tmp_path / "HAM10000_segmentations" / "one_segmentation.png")
    outlined = example_sheet(bundle, dataset, tmp_path)
    shown = [
        [
            (n, ax.get_title(), ax.images[0].get_array())
            for n, ax in enumerate(page.axes)
            if ax.images
        ]
        for page in (plain, outlined)
    ]
    for page in shown:
        ((place, title, picture),) = page
        assert divmod(place, 4) == (CODES.index("vasc"), 0 if title.startswith("correct") else 2)
        assert picture.shape == (150, 3 * 150 + 2 * 4, 3)
    one, other = (page[0][2] for page in shown)
    changed = (one != other).any(axis=2)
    assert changed.any()
    assert not changed[:, 150:].any()
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max()) == (50, 99)
    assert (columns.min(), columns.max()) == (80 - 25, 119 - 25)
