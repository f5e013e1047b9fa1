from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.evaluation.judgement import judge
from build_host.evaluation.stops import STOPS
from device.capture.demo import SCENES, demo_frame
from device.diagnoses import CODES
from device.imaging.field_of_view import find_field
from device.imaging.quality import Shortcoming
from device.models.bundle import Bundle
from tests.build_host.conftest import Done

SKIN = demo_frame(SCENES[0]).pixels[200:500, 300:700]


@pytest.mark.parametrize("name", STOPS)
def test_a_stop_hides_the_corners_leaves_the_middle_and_is_found(name: str) -> None:
    before = SKIN.copy()
    stopped = STOPS[name](SKIN)
    np.testing.assert_array_equal(SKIN, before)
    assert (stopped.shape, stopped.dtype) == (SKIN.shape, np.uint8)
    assert max(stopped[y, x].max() for y in (0, -1) for x in (0, -1)) <= 61
    middle = (slice(140, 160), slice(190, 210))
    if name != "small in a large frame":
        np.testing.assert_array_equal(stopped[middle], SKIN[middle])
    assert find_field(stopped).inscribed is not None


@pytest.fixture
def images() -> Dataset:
    """Return one picture of each diagnosis twice, in two collections."""
    records = tuple(
        ImageRecord(f"{source}{i}", f"{source}{i}", code, source=source, skin_tone="3")
        for source in ("A", "B")
        for i, code in enumerate([*CODES] * 20)
    )
    frames = [demo_frame(scene).pixels[::3, ::3] for scene in SCENES]
    return Dataset("drawn", records, lambda record: frames[CODES.index(record.dx)])


def test_tables_tell_of_stops_refusals_and_melanomas(bundle: Bundle, images: Dataset) -> None:
    found = judge(bundle, images, quiet=True)
    assert found.images == len(images)
    assert [row.stop for row in found.stops[::2]] == ["", *STOPS]
    assert [row.looked_for for row in found.stops[:4]] == [False, True, False, True]
    assert {row.group for row in found.refused} == {"A", "B", "skin tone 3", *CODES}
    for row in found.refused:
        assert 0.0 <= row.refused <= min(1.0, sum(row.by_reason.values()) + 1e-9)
        assert (row.accuracy_refused is None) == (row.refused == 0.0)
    # The demonstration holds one that is blurred, and one that is dark.
    assert max(row.refused for row in found.refused) == 1.0
    assert [row.source for row in found.melanomas] == ["A", "B"]
    for line in found.melanomas:
        assert sum(line.by_recommendation.values()) == pytest.approx(1.0)
        assert line.calm <= line.called


def test_what_is_too_small_to_measure_counts_for_its_source_alone(
    bundle: Bundle, images: Dataset
) -> None:
    records = [replace(record, source="small") for record in images.records if record.source == "B"]
    # A group of thirty images or more has a row.
    large = [record for record in images.records if record.source == "A" and record.dx == "nv"] * 2
    dataset = Dataset(
        "drawn",
        (*records, *large),
        lambda record: images.read(record)[::4, ::4] if record in records else images.read(record),
    )
    found = {row.group: row for row in judge(bundle, dataset, quiet=True).refused}
    assert found["small"].by_reason[Shortcoming.TOO_SMALL] == 1.0
    assert found["nv"].images == found["skin tone 3"].images == found["A"].images == len(large)
    assert found["nv"].by_reason[Shortcoming.TOO_SMALL] == 0.0
    assert set(found) == {"A", "small", "nv", "skin tone 3"}


def test_command_prints_the_three_tables(
    command: Callable[..., Done], bundle: Bundle, ham10000: Path
) -> None:
    done = command(
        "judgement", bundle.folder, "--ham10000", ham10000, "--images", 20, "--fold", "validation"
    )
    assert done.status == 0, done.err
    for words in ("whole circle", "Refused for their quality", "What melanomas are headlined as"):
        assert words in done.out
