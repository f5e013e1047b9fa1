from pathlib import Path

import numpy as np
import pytest

from build_host.datasets.isic2019 import (
    read_bcn20000,
    read_isic2019,
    read_isic2019_tables,
    without_images_of,
)
from build_host.errors import DataError
from device.imaging.image_file import read_image
from tests.build_host import drawn

TRUTH = "ISIC_2019_Training_GroundTruth.csv"
METADATA = "ISIC_2019_Training_Metadata.csv"
CLASSES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")

# Image, class, lesion: of each collection, and one that names no lesion.
IMAGES = (
    ("ISIC_0000001", "MEL", "MSK4_0000001"),
    ("ISIC_0000002_downsampled", "NV", ""),
    ("ISIC_0024306", "BKL", "HAM_0000550"),
    ("ISIC_0053453", "SCC", "BCN_0000001"),
    ("ISIC_0053454", "AK", "BCN_0000002"),
    ("ISIC_0053455", "UNK", "BCN_0000003"),
)


def truth(image: str, *marked: str) -> drawn.Row:
    return {"image": image} | {name: "1.0" if name in marked else "0.0" for name in CLASSES}


def metadata(image: str, lesion: str, **more: str) -> drawn.Row:
    unknown = {"age_approx": "", "anatom_site_general": "", "sex": ""}
    return {"image": image, "lesion_id": lesion} | unknown | more


def published(
    folder: Path, truths: list[drawn.Row] | None = None, rows: list[drawn.Row] | None = None
) -> Path:
    """Write both tables as they are published, and an image for each row of the truth."""
    folder.mkdir(exist_ok=True)
    truths = truths or [truth(image, dx) for image, dx, _ in IMAGES]
    rows = rows or [metadata(image, lesion) for image, _, lesion in IMAGES]
    drawn.write_metadata(folder / TRUTH, truths, ("image", *CLASSES))
    columns = ("image", "age_approx", "anatom_site_general", "lesion_id", "sex")
    drawn.write_metadata(folder / METADATA, rows, columns)
    for number, row in enumerate(truths):
        drawn.write_image(folder / "images" / f"{row['image']}.jpg", "nv", number)
    return folder


def test_the_published_tables_become_records_of_the_seven_diagnoses(tmp_path: Path) -> None:
    dataset = read_isic2019(published(tmp_path))
    assert dataset.name == "ISIC 2019"
    assert {r.image_id: r.dx for r in dataset.records} == {
        "ISIC_0000001": "mel",
        "ISIC_0000002_downsampled": "nv",
        "ISIC_0024306": "bkl",
        "ISIC_0053453": "akiec",
        "ISIC_0053454": "akiec",
    }
    for record in dataset.records:
        path = tmp_path / "images" / f"{record.image_id}.jpg"
        np.testing.assert_array_equal(dataset.read(record), read_image(path))


def test_what_isic_2017_tests_on_is_left_out_under_either_name(tmp_path: Path) -> None:
    dataset = read_isic2019(published(tmp_path))
    apart = without_images_of(dataset, {"ISIC_0000001", "ISIC_0000002", "ISIC_0000003"})
    assert apart.name == "ISIC 2019 without ISIC 2017's test part"
    assert [r.image_id for r in apart.records] == ["ISIC_0024306", "ISIC_0053453", "ISIC_0053454"]
    np.testing.assert_array_equal(apart.read(apart.records[0]), dataset.read(apart.records[0]))


@pytest.mark.parametrize(
    ("published_as", "dx"),
    [
        ("MEL", "mel"), ("NV", "nv"), ("BCC", "bcc"), ("AK", "akiec"), ("BKL", "bkl"),
        ("DF", "df"), ("VASC", "vasc"), ("SCC", "akiec"),
    ],
)  # fmt: skip
def test_every_class_is_one_of_the_seven(tmp_path: Path, published_as: str, dx: str) -> None:
    folder = published(tmp_path, [truth("a", published_as)], [metadata("a", "BCN_1")])
    assert [r.dx for r in read_isic2019_tables(folder)] == [dx]


def test_what_no_class_names_is_left_out_and_its_image_may_be_missing(tmp_path: Path) -> None:
    folder = published(tmp_path)
    (folder / "images" / "ISIC_0053455.jpg").unlink()
    assert "ISIC_0053455" not in {r.image_id for r in read_isic2019(folder).records}


def test_the_collections_are_told_apart_by_their_lesions(tmp_path: Path) -> None:
    records = read_isic2019(published(tmp_path)).records
    assert [r.source for r in records] == ["MSK", "MSK", "HAM10000", "BCN20000", "BCN20000"]


def test_an_image_without_a_lesion_stands_for_itself(tmp_path: Path) -> None:
    lesions = {r.image_id: r.lesion_id for r in read_isic2019(published(tmp_path)).records}
    assert lesions["ISIC_0000002_downsampled"] == "ISIC_0000002_downsampled"
    assert lesions["ISIC_0024306"] == "HAM_0000550"


def test_the_metadata_tell_age_sex_and_site(tmp_path: Path) -> None:
    rows = [
        metadata("a", "BCN_1", age_approx="55.0", anatom_site_general="upper limb", sex="female"),
        metadata("b", "BCN_2"),
    ]
    one, other = read_isic2019(
        published(tmp_path, [truth("a", "DF"), truth("b", "DF")], rows[::-1])
    ).records
    assert (one.age, one.localization, one.sex) == (55.0, "upper limb", "female")
    assert (other.age, other.localization, other.sex) == (None, "unknown", "unknown")
    assert one.dx_type == ""


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (truth("b", "MEL", "NV"), "line 3: 'b' has 2 diagnoses, not one"),
        (truth("b"), "line 3: 'b' has 0 diagnoses, not one"),
        (truth("a", "NV"), "line 3: 'a' appears twice"),
        (truth("z", "NV"), f"line 3: 'z' is not in {METADATA}"),
    ],
)
def test_a_bad_row_is_named_or_collected(tmp_path: Path, bad: drawn.Row, told: str) -> None:
    truths = [truth("a", "MEL"), bad, truth("c", "NV")]
    rows = [metadata(name, f"BCN_{name}") for name in "abc"]
    folder = published(tmp_path, truths, rows)
    with pytest.raises(DataError) as caught:
        read_isic2019(folder)
    assert str(caught.value) == f"{folder / TRUTH}: {told}"
    problems: list[DataError] = []
    records = read_isic2019_tables(folder, problems)
    assert [(r.image_id, r.dx) for r in records] == [("a", "mel"), ("c", "nv")]
    assert [str(problem) for problem in problems] == [f"{folder / TRUTH}: {told}"]


def with_a_bad_age(folder: Path) -> Path:
    rows = [metadata("a", "BCN_1"), metadata("b", "BCN_2", age_approx="old")]
    return published(folder, [truth("a", "MEL"), truth("b", "NV")], rows)


def test_a_bad_age_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{METADATA}: line 3: age 'old' is not a number"):
        read_isic2019(with_a_bad_age(tmp_path))


def test_a_bad_age_is_collected(tmp_path: Path) -> None:
    problems: list[DataError] = []
    records = read_isic2019_tables(with_a_bad_age(tmp_path), problems)
    assert [r.image_id for r in records] == ["a"]
    assert [str(p).partition(": ")[2] for p in problems] == ["line 3: age 'old' is not a number"]


@pytest.mark.parametrize("table", [TRUTH, METADATA])
def test_a_missing_table_or_column_is_named(tmp_path: Path, table: str) -> None:
    folder = published(tmp_path)
    first, *rest = (folder / table).read_text().splitlines()
    (folder / table).write_text("\n".join([first.replace("image", "picture"), *rest]))
    with pytest.raises(DataError, match=rf"{table}: the columns image are missing"):
        read_isic2019(folder)
    (folder / table).unlink()
    with pytest.raises(DataError, match=rf"{table} is missing"):
        read_isic2019(folder)


def test_tables_without_rows_and_missing_images_are_told(tmp_path: Path) -> None:
    folder = published(tmp_path)
    (folder / "images" / "ISIC_0024306.jpg").unlink()
    told = "1 of 5 images are missing, the first is ISIC_0024306.jpg"
    with pytest.raises(DataError, match=told):
        read_isic2019(folder)
    drawn.write_metadata(folder / TRUTH, [], ("image", *CLASSES))
    with pytest.raises(DataError, match=rf"{TRUTH}: has no rows"):
        read_isic2019(folder)


def test_bcn20000_is_a_part_of_isic_2019(tmp_path: Path) -> None:
    folder = published(tmp_path)
    # Of what it does not take, nothing need be there.
    (folder / "images" / "ISIC_0024306.jpg").unlink()
    dataset = read_bcn20000(folder)
    assert dataset.name == "BCN20000"
    assert [r.image_id for r in dataset.records] == ["ISIC_0053453", "ISIC_0053454"]
    assert dataset.sources == ("BCN20000",)
    assert dataset.read(dataset.records[0]).shape == (150, 200, 3)


def test_bcn20000_may_come_with_a_table_of_its_own(tmp_path: Path) -> None:
    rows = [
        {"image_id": "one", "lesion_id": "BCN_1", "diagnosis": "mel"},
        {"image_id": "two", "lesion_id": "BCN_2", "diagnosis": ""},
    ]
    drawn.write_metadata(tmp_path / "metadata.csv", rows, tuple(rows[0]))
    for name in ("one", "two"):
        drawn.write_image(tmp_path / "images" / f"{name}.jpg", "mel", 1)
    dataset = read_bcn20000(tmp_path)
    assert dataset.name == "BCN20000"
    assert [(r.image_id, r.dx, r.source) for r in dataset.records] == [("one", "mel", "BCN20000")]


def test_isic_2019_without_bcn20000_is_told(tmp_path: Path) -> None:
    folder = published(tmp_path, [truth("a", "MEL")], [metadata("a", "HAM_0000001")])
    with pytest.raises(DataError, match=rf"{METADATA}: has no lesion of BCN20000"):
        read_bcn20000(folder)
