import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build_host.datasets.ham10000 import read_ham10000
from build_host.errors import DataError
from device.diagnoses import CODES
from device.imaging.image_file import read_image
from tests.build_host import drawn

METADATA = "HAM10000_metadata.csv"
DATA = os.environ.get("DERMASCOPE_HAM10000")


def small_set(folder: Path, **changes: str) -> list[drawn.Row]:
    """Write three rows with images; `changes` go to the second."""
    content = drawn.rows()[:3]
    drawn.write_images((folder / "HAM10000_images",), content)
    content[1] |= changes
    drawn.write_metadata(folder / METADATA, content)
    return content


def test_every_row_becomes_a_record_in_the_order_of_the_metadata(ham10000: Path) -> None:
    dataset = read_ham10000(ham10000)
    rows = drawn.rows()
    assert [r.image_id for r in dataset.records] == [r["image_id"] for r in rows]
    for record, row in zip(dataset.records, rows, strict=True):
        assert record.lesion_id == row["lesion_id"]
        assert record.dx == row["dx"]
        assert record.dx_type == row["dx_type"]
        assert record.age == (float(row["age"]) if row["age"] else None)
        assert record.sex == row["sex"]
        assert record.localization == row["localization"]


def test_images_of_both_parts_are_read_as_the_device_reads_them(ham10000: Path) -> None:
    dataset = read_ham10000(ham10000)
    for record, part in ((dataset.records[0], 1), (dataset.records[-1], 2)):
        path = ham10000 / f"HAM10000_images_part_{part}" / f"{record.image_id}.jpg"
        assert path.is_file()
        np.testing.assert_array_equal(dataset.read(record), read_image(path))


@pytest.mark.parametrize("place", ["HAM10000_images", "."])
def test_images_may_lie_in_one_folder_or_beside_the_metadata(tmp_path: Path, place: str) -> None:
    content = drawn.rows()[:3]
    drawn.write_metadata(tmp_path / METADATA, content)
    drawn.write_images((tmp_path / place,), content)
    dataset = read_ham10000(tmp_path)
    for record in dataset.records:
        expected = read_image(tmp_path / place / f"{record.image_id}.jpg")
        np.testing.assert_array_equal(dataset.read(record), expected)


def test_metadata_may_come_without_an_ending_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    content = small_set(tmp_path)
    text = (tmp_path / METADATA).read_text(encoding="utf-8")
    (tmp_path / METADATA).unlink()
    (tmp_path / "HAM10000_metadata").write_text(text, encoding="utf-8-sig")
    assert [r.image_id for r in read_ham10000(tmp_path).records] == [
        row["image_id"] for row in content
    ]


@pytest.mark.parametrize("name", ["HAM10000_metadata.tab", "ham10000_metadata.csv"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_metadata_may_be_named_and_separated_as_others_do(
    tmp_path: Path, name: str, separator: str
) -> None:
    content = small_set(tmp_path)
    text = (tmp_path / METADATA).read_text(encoding="utf-8")
    (tmp_path / METADATA).unlink()
    quoted = "\n".join(
        separator.join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()
    )
    (tmp_path / name).write_text(quoted, encoding="utf-8")
    records = read_ham10000(tmp_path).records
    assert [r.image_id for r in records] == [row["image_id"] for row in content]
    assert [r.age for r in records] == [
        float(row["age"]) if row["age"] else None for row in content
    ]


@pytest.mark.parametrize("ending", [".JPG", ".jpeg", ".JPEG", ".jpe"])
def test_images_may_have_any_ending_of_a_jpeg(tmp_path: Path, ending: str) -> None:
    small_set(tmp_path)
    for path in (tmp_path / "HAM10000_images").iterdir():
        path.rename(path.with_suffix(ending))
    dataset = read_ham10000(tmp_path)
    assert all(dataset.read(record).shape == (150, 200, 3) for record in dataset.records)


def test_images_may_be_named_with_their_ending(tmp_path: Path) -> None:
    content = small_set(tmp_path)
    table = (tmp_path / METADATA).read_text()
    name = content[1]["image_id"]
    (tmp_path / METADATA).write_text(table.replace(name, f"{name}.JPG"))
    assert read_ham10000(tmp_path).records[1].image_id == name


@pytest.mark.parametrize(
    "place", ["images/part_1", "train/{dx}", "archive/images/train/{dx}", "{dx}"]
)
def test_images_may_lie_deep_and_by_class(tmp_path: Path, place: str) -> None:
    content = small_set(tmp_path)
    for row in content:
        folder = tmp_path / place.format(dx=row["dx"])
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{row['image_id']}.jpg"
        (tmp_path / "HAM10000_images" / name).rename(folder / name)
        # As macOS leaves them beside what it unpacks.
        (folder / f"._{name}").write_bytes(b"Mac OS X")
    dataset = read_ham10000(tmp_path)
    assert all(dataset.read(record).shape == (150, 200, 3) for record in dataset.records)


def test_metadata_may_lie_in_a_folder(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / "tables").mkdir()
    (tmp_path / METADATA).rename(tmp_path / "tables" / METADATA)
    assert len(read_ham10000(tmp_path)) == 3


def test_copies_of_the_images_do_no_harm(tmp_path: Path) -> None:
    # Kaggle hands HAM10000_images_part_1 out twice, once in small letters.
    small_set(tmp_path)
    shutil.copytree(tmp_path / "HAM10000_images", tmp_path / "ham10000_images")
    assert len(read_ham10000(tmp_path)) == 3


def test_two_images_of_one_name_are_told(tmp_path: Path) -> None:
    content = small_set(tmp_path)
    small = tmp_path / "thumbnails"
    small.mkdir()
    name = f"{content[1]['image_id']}.jpg"
    Image.new("RGB", (32, 32)).save(small / name)
    with pytest.raises(DataError) as caught:
        read_ham10000(tmp_path)
    told = str(caught.value)
    assert told.startswith(f"{tmp_path}: 1 images are there twice and differ")
    assert f"HAM10000_images/{name} and thumbnails/{name}" in told
    assert len(told.splitlines()) == 1


def test_what_lies_there_instead_is_told(tmp_path: Path) -> None:
    small_set(tmp_path)
    for path in (tmp_path / "HAM10000_images").iterdir():
        path.rename(path.with_suffix(".png"))
    with pytest.raises(
        DataError, match=r"3 of 3 images are missing.*; there lie 3 \.png, 1 \.csv$"
    ):
        read_ham10000(tmp_path)
    (tmp_path / METADATA).unlink()
    with pytest.raises(DataError, match=r"HAM10000_metadata\.csv is missing.*; there lie 3 \.png$"):
        read_ham10000(tmp_path)


@pytest.mark.parametrize("age", ["", "unknown", "nan", "NaN", "NA", "N/A", "None", "null", "-"])
def test_an_age_that_is_not_known_is_none(tmp_path: Path, age: str) -> None:
    small_set(tmp_path, age=age)
    assert read_ham10000(tmp_path).records[1].age is None


def test_age_with_a_decimal_comma_is_read(tmp_path: Path) -> None:
    small_set(tmp_path, age="45,0")
    assert read_ham10000(tmp_path).records[1].age == 45.0


def test_sex_and_localization_that_are_not_given_are_unknown(tmp_path: Path) -> None:
    small_set(tmp_path, sex="", localization="")
    record = read_ham10000(tmp_path).records[1]
    assert (record.sex, record.localization) == ("unknown", "unknown")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such folder"):
        read_ham10000(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="no such folder"):
        read_ham10000(tmp_path / "file")


def test_without_metadata_it_says_why_no_split_can_be_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{tmp_path}: {METADATA} is missing.*lesion"):
        read_ham10000(tmp_path)


def test_a_row_without_its_image_is_named(spoilable: Path) -> None:
    victim = drawn.rows()[5]["image_id"]
    (spoilable / "HAM10000_images_part_1" / f"{victim}.jpg").unlink()
    with pytest.raises(DataError, match=rf"1 of 176 images are missing, the first is {victim}"):
        read_ham10000(spoilable)


def test_metadata_without_any_images_is_refused(tmp_path: Path) -> None:
    drawn.write_metadata(tmp_path / METADATA, drawn.rows())
    with pytest.raises(DataError, match=r"176 of 176 images are missing.*; there lie 1 \.csv$"):
        read_ham10000(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dx": "scc"}, "dx 'scc' is not one of akiec, bcc, bkl, df, mel, nv, vasc"),
        ({"dx": ""}, "dx '' is not one of"),
        ({"dx": "MEL"}, "dx 'MEL' is not one of"),
        ({"age": "old"}, "age 'old' is not "),
        ({"age": "inf"}, "age 'inf'"),
        ({"age": "-5"}, "age '-5'"),
        ({"lesion_id": ""}, "lesion_id is empty"),
        ({"image_id": " "}, "image_id is empty"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_reason(
    tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    small_set(tmp_path, **changes)
    with pytest.raises(DataError) as caught:
        read_ham10000(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / METADATA}: line 3: {reason}")


def test_a_second_row_of_one_image_is_named_with_both_lines(tmp_path: Path) -> None:
    first = drawn.rows()[0]["image_id"]
    small_set(tmp_path, image_id=first)
    with pytest.raises(DataError) as caught:
        read_ham10000(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path / METADATA}: line 3: {first} is already in line 2"
    )


@pytest.mark.parametrize("column", drawn.COLUMNS)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    columns = tuple(c for c in drawn.COLUMNS if c != column)
    drawn.write_metadata(tmp_path / METADATA, drawn.rows(), columns)
    with pytest.raises(DataError) as caught:
        read_ham10000(tmp_path)
    assert str(caught.value) == f"{tmp_path / METADATA}: the columns {column} are missing"


def test_an_empty_metadata_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / METADATA).touch()
    with pytest.raises(DataError, match=rf"{METADATA}: the columns lesion_id, .* are missing"):
        read_ham10000(tmp_path)


def test_metadata_without_rows_is_refused(tmp_path: Path) -> None:
    drawn.write_metadata(tmp_path / METADATA, [])
    with pytest.raises(DataError, match=rf"{METADATA}: has no rows"):
        read_ham10000(tmp_path)


def test_a_row_cut_short_is_named(tmp_path: Path) -> None:
    small_set(tmp_path)
    with (tmp_path / METADATA).open("a") as file:
        file.write("HAM_0000001,ISIC_0099999\n")
    with pytest.raises(DataError, match=rf"{METADATA}: line 5: dx ''"):
        read_ham10000(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xff\xfe\x00\x81\x8d", id="not-utf-8"),
        pytest.param(
            ",".join(drawn.COLUMNS).encode() + b"\n" + b"x" * 200_000, id="field-without-end"
        ),
    ],
)
def test_metadata_that_is_no_table_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / METADATA).write_bytes(content)
    with pytest.raises(DataError, match=METADATA):
        read_ham10000(tmp_path)


def test_the_pixel_table_is_read_where_there_are_no_images(ham10000_table: Path) -> None:
    dataset = read_ham10000(ham10000_table)
    assert "28 x 28" in dataset.name
    rows = drawn.rows()
    for number in (0, 57, len(rows) - 1):
        small = drawn.picture(rows[number]["dx"], number).resize((28, 28), Image.Resampling.BOX)
        pixels = dataset.read(dataset.records[number])
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, np.asarray(small))


def test_a_record_of_a_subset_keeps_its_own_row_of_the_table(ham10000_table: Path) -> None:
    dataset = read_ham10000(ham10000_table)
    subset = dataset.subset(np.array([40, 3]))
    np.testing.assert_array_equal(subset.read(subset.records[0]), dataset.read(dataset.records[40]))


def test_images_are_preferred_to_the_table(ham10000_table: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(ham10000_table, tmp_path / "both")
    drawn.write_images((folder / "HAM10000_images",), drawn.rows())
    dataset = read_ham10000(folder)
    assert dataset.read(dataset.records[0]).shape == (150, 200, 3)


def _swap_rows(lines: list[str]) -> list[str]:
    # Rows 1 and 29 differ in their diagnosis.
    return [lines[0], lines[29], *lines[2:29], lines[1], *lines[30:]]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(_swap_rows, r"row 1 is labelled \d, but the metadata's row says", id="order"),
        pytest.param(lambda t: t[:-1], "has 175 rows, the metadata 176", id="row-missing"),
        pytest.param(lambda t: [*t, t[-1]], "has 177 rows, the metadata 176", id="row-too-many"),
        pytest.param(lambda t: t[1:], "its columns are not", id="no-header"),
        pytest.param(
            lambda t: [t[0].replace("pixel0001", "pixel1"), *t[1:]],
            "its columns are not",
            id="name",
        ),
        pytest.param(lambda t: [t[0], "256" + t[1][3:], *t[2:]], "'256", id="over-255"),
        pytest.param(lambda t: [t[0], "x," + t[1], *t[2:]], "'x'", id="not-a-number"),
        pytest.param(lambda t: [t[0], t[1][:50], *t[2:]], "column", id="row-cut-short"),
        pytest.param(lambda t: [t[0], t[1][:-1] + "7", *t[2:]], "row 1 is labelled 7", id="label"),
        pytest.param(lambda t: t[:1], "has 0 rows", id="header-alone"),
        pytest.param(lambda _: [], "its columns are not", id="empty"),
    ],
)
def test_a_table_that_does_not_agree_with_the_metadata_is_refused(
    spoilable_table: Path, spoil: Callable[[list[str]], list[str]], reason: str
) -> None:
    path = spoilable_table / "hmnist_28_28_RGB.csv"
    path.write_text("\n".join(spoil(path.read_text().splitlines())) + "\n")
    with pytest.raises(DataError, match=reason) as caught:
        read_ham10000(spoilable_table)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_tables_labels_are_counted_as_its_makers_do(ham10000_table: Path) -> None:
    records = read_ham10000(ham10000_table).records
    lines = (ham10000_table / "hmnist_28_28_RGB.csv").read_text().splitlines()[1:]
    seen = {(r.dx, int(line.rpartition(",")[2])) for r, line in zip(records, lines, strict=True)}
    assert seen == {
        ("akiec", 0), ("bcc", 1), ("bkl", 2), ("df", 3), ("nv", 4), ("vasc", 5), ("mel", 6)
    }  # fmt: skip
    assert {dx for dx, _ in seen} == set(CODES)


@pytest.mark.ham10000
@pytest.mark.skipif(not DATA, reason="needs the data set")
def test_the_real_data_set_is_10015_images_of_7470_lesions() -> None:
    dataset = read_ham10000(Path(str(DATA)))
    assert len(dataset) == 10_015
    assert len(set(dataset.lesions)) == 7_470
