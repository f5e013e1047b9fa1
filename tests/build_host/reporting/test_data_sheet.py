from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.reporting.data_sheet import data_sheet
from device.diagnoses import CODES
from tests.build_host.conftest import Done
from tests.build_host.datasets.test_clinic import clinic, row

SIDE = 150


def charts(page: Figure) -> dict[str, dict[str, str]]:
    """Return what each bar chart counts: the label of each bar, by its name, in their order."""
    return {
        axes.get_title(): {
            tick.get_text(): label.get_text()
            for tick, label in zip(axes.get_yticklabels(), axes.texts, strict=True)
        }
        for axes in page.get_axes()
        if axes.get_title()
    }


def strips(page: Figure) -> dict[str, Axes]:
    """Return the axes with the examples of each diagnosis."""
    return {
        axes.get_ylabel().partition("\n")[0]: axes for axes in page.get_axes() if axes.get_images()
    }


def examples(axes: Axes) -> list[NDArray[np.uint8]]:
    strip = np.asarray(axes.get_images()[0].get_array())
    assert strip.shape == (SIDE, 8 * SIDE, 3)
    return np.split(strip, 8, axis=1)


def grey_of(record: ImageRecord) -> int:
    return 20 * int(record.image_id) % 200


def collection(*records: ImageRecord, size: tuple[int, int] = (30, 30)) -> Dataset:
    return Dataset("ours", records, lambda record: np.full((*size, 3), grey_of(record), np.uint8))


def record(number: int, dx: str = "nv", **more: object) -> ImageRecord:
    return ImageRecord(str(number), f"lesion-{number // 2}", dx, **more)


def test_it_counts_what_is_known_of_the_images() -> None:
    page = data_sheet(
        collection(
            record(0, "nv", age=30.0, sex="male", source="A", localization="back", skin_tone="2"),
            record(1, "nv", age=39.9, sex="female", source="A", localization="foot"),
            record(
                2, "mel", age=100.0, sex="female", source="B", localization="foot", skin_tone="0"
            ),
            record(3, "nv", age=None, source="B", localization="foot", skin_tone="2"),
            record(4, "df", age=5.0, source=""),
        )
    )
    (title,) = [f.get_suptitle() for f in page.subfigs if f.get_suptitle()]
    assert title == "ours: 5 images of 3 lesions"
    found = charts(page)
    # The commonest first, but ages and skin tones in their own order.
    assert [list(v.items()) for v in found.values()] == [
        [("nv", "3"), ("mel", "1"), ("df", "1")],
        [("A", "2"), ("B", "2"), ("unknown", "1")],
        [("  0s", "1"), (" 30s", "2"), ("100s", "1"), ("unknown", "1")],
        [("female", "2"), ("unknown", "2"), ("male", "1")],
        [("foot", "3"), ("back", "1"), ("unknown", "1")],
        [("0", "1"), ("2", "2"), ("unknown", "2")],
    ]
    names = ["Diagnosis", "Source", "Age", "Sex", "Site", "Skin tone, 0 very dark to 5 very light"]
    assert list(found) == names


def test_the_lengths_of_the_bars_are_the_counts_and_thousands_are_told_apart() -> None:
    page = data_sheet(collection(*(record(n) for n in range(1234)), record(2000, "mel")))
    (title,) = [f.get_suptitle() for f in page.subfigs if f.get_suptitle()]
    assert title.startswith("ours: 1,235 images of 618 lesions")
    (axes,) = [a for a in page.get_axes() if a.get_title() == "Diagnosis"]
    assert [bar.get_width() for bar in axes.patches] == [1234, 1]
    assert [t.get_text() for t in axes.texts] == ["1,234", "1"]
    assert strips(page)["nv"].get_ylabel() == "nv\n1,234"


def test_of_many_sites_the_rare_ones_are_counted_as_others() -> None:
    sites = [f"site-{n:02d}" for n in range(20)]
    records = [record(n, localization=sites[n % 20]) for n in range(45)]
    sites_counted = charts(data_sheet(collection(*records)))["Site"]
    assert len(sites_counted) == 15
    assert list(sites_counted)[-1] == "others"
    assert sum(map(int, sites_counted.values())) == 45
    # Five of the twenty are shown thrice.
    assert list(sites_counted.values())[:5] == ["3"] * 5
    assert sites_counted["others"] == "12"


def test_each_diagnosis_has_a_strip_of_its_own_examples() -> None:
    several = [record(n, "mel") for n in range(3)]
    page = data_sheet(collection(*several, record(7, "vasc")))
    assert tuple(strips(page)) == CODES
    for code, axes in strips(page).items():
        own = [r for r in (*several, record(7, "vasc")) if r.dx == code]
        shown = examples(axes)
        assert sorted(int(e[75, 75, 0]) for e in shown[: len(own)]) == sorted(map(grey_of, own))
        assert all((e == 255).all() for e in shown[len(own) :])
        assert axes.get_ylabel() == f"{code}\n{len(own)}"


def test_no_more_than_eight_are_drawn_and_the_seed_decides_which() -> None:
    dataset = collection(*(record(n) for n in range(10)))
    read: list[str] = []

    def noticed(one: ImageRecord) -> NDArray[np.uint8]:
        read.append(one.image_id)
        return dataset.read(one)

    watched = Dataset(dataset.name, dataset.records, noticed)
    chosen = []
    for seed in (0, 0, 1):
        read.clear()
        data_sheet(watched, seed)
        # What is not drawn is not read.
        assert len(set(read)) == len(read) == 8
        chosen.append(tuple(read))
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize(("size", "shown"), [((40, 80), (75, 150)), ((90, 30), (150, 50))])
def test_a_picture_keeps_its_shape_on_white(size: tuple[int, int], shown: tuple[int, int]) -> None:
    page = data_sheet(collection(record(5), size=size))
    rows, columns = np.nonzero((examples(strips(page)["nv"])[0] != 255).any(axis=2))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == shown
    # In the middle.
    assert abs(rows.min() + rows.max() - (SIDE - 1)) <= 1
    assert abs(columns.min() + columns.max() - (SIDE - 1)) <= 1


def test_the_command_draws_a_collection_into_a_file(
    command: Callable[..., Done], ham10000: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "page.png"
    done = command("data", "show", "ham10000", ham10000, "--out", path)
    assert done.status == 0, done.err
    assert f"Wrote {path}" in done.out
    assert "terms apply" in done.out
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.height > picture.width > 800
        assert len(np.unique(np.asarray(picture.convert("L")))) > 100


def test_the_command_finds_a_collection_by_the_environment_and_writes_by_the_files_ending(
    command: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DERMASCOPE_CLINIC", str(clinic(tmp_path / "ours", row(1, "mel"))))
    done = command("data", "show", "clinic")
    assert done.status == 0, done.err
    assert (tmp_path / "data.png").is_file()
    done = command("data", "show", "clinic", "--out", tmp_path / "page.svg")
    assert done.status == 0, done.err
    text = (tmp_path / "page.svg").read_text()
    assert "<svg" in text


def test_what_cannot_be_drawn_is_told(command: Callable[..., Done], tmp_path: Path) -> None:
    done = command("data", "show", "ham10000", tmp_path / "none")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert f"{tmp_path / 'none'}: no such folder" in done.err
    done = command("data", "show", "bcn20000")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "$DERMASCOPE_BCN20000" in done.err


def test_a_collection_of_which_nothing_is_in_scope_is_told(
    command: Callable[..., Done], tmp_path: Path
) -> None:
    folder = clinic(tmp_path, row(1, ""))
    done = command("data", "show", "clinic", folder, "--out", tmp_path / "page.png")
    assert done.status == 2
    assert str(folder) in done.err
