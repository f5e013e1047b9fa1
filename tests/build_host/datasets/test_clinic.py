from pathlib import Path

import numpy as np
import pytest

from build_host.datasets.clinic import (
    is_published,
    out_of_scope_images,
    read_clinic,
    read_clinic_table,
)
from build_host.errors import DataError
from device.imaging.image_file import read_image
from tests.build_host import drawn

OTHER_NAMES = {
    "image": "image_id",
    "lesion": "lesion_id",
    "dx": "diagnosis",
    "confirmed_by": "dx_type",
    "site": "localization",
    "skin_tone": "skin_tone_class",
}


def row(number: int, dx: str = "nv", **more: str) -> drawn.Row:
    return {"image": f"photo-{number}", "lesion": f"lesion-{number}", "dx": dx} | more


def clinic(folder: Path, *rows: drawn.Row, table: str = "images.csv") -> Path:
    """Write a table with the columns of the first row, and an image for each row."""
    folder.mkdir(exist_ok=True)
    drawn.write_metadata(folder / table, list(rows), tuple(rows[0]))
    for number, content in enumerate(rows):
        name = content.get("image", content.get("image_id", ""))
        drawn.write_image(folder / f"{name.removesuffix('.jpg')}.jpg", "nv", number)
    return folder


def write_diagnoses(folder: Path, *rows: str) -> None:
    (folder / "diagnoses.csv").write_text("\n".join(["name,dx", *rows]) + "\n")


FULL = row(
    1, "mel", confirmed_by="histo", age="61.0", sex="female", site="back", source="Ward 7",
    skin_tone="2",
)  # fmt: skip


def test_a_row_becomes_what_its_columns_say(tmp_path: Path) -> None:
    (record,) = read_clinic(clinic(tmp_path, FULL)).records
    assert (record.image_id, record.lesion_id, record.dx) == ("photo-1", "lesion-1", "mel")
    assert (record.dx_type, record.age, record.sex) == ("histo", 61.0, "female")
    assert (record.localization, record.source, record.skin_tone) == ("back", "Ward 7", "2")


@pytest.mark.parametrize("renamed", [*OTHER_NAMES, "all"])
def test_a_column_may_have_either_of_its_names(tmp_path: Path, renamed: str) -> None:
    expected = read_clinic(clinic(tmp_path / "one", FULL), "a").records
    changed = {
        OTHER_NAMES.get(name, name) if renamed in (name, "all") else name: value
        for name, value in FULL.items()
    }
    assert read_clinic(clinic(tmp_path / "other", changed), "a").records == expected


def test_of_two_columns_that_tell_the_same_the_first_name_counts(tmp_path: Path) -> None:
    folder = clinic(tmp_path, {"diagnosis": "df", "localization": "face", "site": "back"} | FULL)
    (record,) = read_clinic(folder).records
    assert (record.dx, record.localization) == ("mel", "back")


def test_image_lesion_and_diagnosis_are_enough(tmp_path: Path) -> None:
    (record,) = read_clinic(clinic(tmp_path / "our-ward", row(1))).records
    assert (record.age, record.sex, record.localization) == (None, "unknown", "unknown")
    assert (record.dx_type, record.skin_tone) == ("", "")
    assert record.source == "our-ward"


def test_cells_that_are_left_empty_are_unknown_too(tmp_path: Path) -> None:
    empty = dict.fromkeys(("age", "sex", "site", "source", "confirmed_by", "skin_tone"), "")
    (record,) = read_clinic(clinic(tmp_path / "our-ward", row(1) | empty)).records
    assert (record.age, record.sex, record.localization) == (None, "unknown", "unknown")
    assert (record.dx_type, record.skin_tone, record.source) == ("", "", "our-ward")


def test_the_source_is_the_tables_then_the_named_one_then_the_folders(tmp_path: Path) -> None:
    folder = clinic(tmp_path / "ours", row(1, source="Ward 7"), row(2, source=""))
    assert [r.source for r in read_clinic(folder, "Named").records] == ["Ward 7", "Named"]
    assert [r.source for r in read_clinic(folder).records] == ["Ward 7", "ours"]
    assert read_clinic(folder).name == "ours"
    assert read_clinic(folder, "Named").name == "Named"


def test_an_identifier_may_be_the_files_name(tmp_path: Path) -> None:
    dataset = read_clinic(clinic(tmp_path, row(1) | {"image": "photo-1.jpg"}))
    assert [r.image_id for r in dataset.records] == ["photo-1"]
    assert dataset.read(dataset.records[0]).shape == (150, 200, 3)


@pytest.mark.parametrize("place", [".", "images", "images/2024"])
def test_images_may_lie_beside_the_table_or_two_folders_deep(tmp_path: Path, place: str) -> None:
    clinic(tmp_path, row(1), row(2))
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    for path in tmp_path.glob("*.jpg"):
        path.rename(tmp_path / place / path.name)
    dataset = read_clinic(tmp_path)
    for record in dataset.records:
        expected = read_image(tmp_path / place / f"{record.image_id}.jpg")
        np.testing.assert_array_equal(dataset.read(record), expected)


def test_the_table_may_have_the_other_name_and_images_csv_comes_first(tmp_path: Path) -> None:
    assert is_published(tmp_path)
    clinic(tmp_path, row(2), table="metadata.csv")
    assert [r.image_id for r in read_clinic(tmp_path).records] == ["photo-2"]
    assert not is_published(tmp_path)
    clinic(tmp_path, row(1))
    assert [r.image_id for r in read_clinic(tmp_path).records] == ["photo-1"]
    (tmp_path / "metadata.csv").unlink()
    assert not is_published(tmp_path)


def test_diagnoses_are_read_as_the_clinic_writes_them(tmp_path: Path) -> None:
    written = ("Bowen's disease", "NAEVUS, junctional", "mel", "MEL", "scar", "wart", "tattoo")
    clinic(tmp_path, *(row(n, dx) for n, dx in enumerate(written)))
    write_diagnoses(
        tmp_path, "bowen's disease,akiec", '"naevus, junctional",NV', "Scar,", "WART,-",
        "tattoo,none",
    )  # fmt: skip
    assert [(r.image_id, r.dx) for r in read_clinic(tmp_path).records] == [
        ("photo-0", "akiec"), ("photo-1", "nv"), ("photo-2", "mel"), ("photo-3", "mel"),
    ]  # fmt: skip
    others = out_of_scope_images(tmp_path)
    assert others == {f"photo-{n}": tmp_path / f"photo-{n}.jpg" for n in (4, 5, 6)}


@pytest.mark.parametrize("dx", ["", "-", "none", "None"])
def test_a_picture_without_a_diagnosis_is_out_of_scope(tmp_path: Path, dx: str) -> None:
    folder = clinic(tmp_path, row(1), row(2, dx))
    assert [r.image_id for r in read_clinic(folder).records] == ["photo-1"]
    assert list(out_of_scope_images(folder)) == ["photo-2"]


def test_a_picture_that_is_out_of_scope_may_be_missing(tmp_path: Path) -> None:
    folder = clinic(tmp_path, row(1), row(2, ""))
    (folder / "photo-2.jpg").unlink()
    assert len(read_clinic(folder)) == 1
    assert out_of_scope_images(folder) == {}


def test_what_a_diagnosis_stands_for_may_be_said_anew(tmp_path: Path) -> None:
    folder = clinic(tmp_path, row(1), row(2, "akiec"))
    write_diagnoses(folder, "akiec,")
    assert list(out_of_scope_images(folder)) == ["photo-2"]


def test_an_unknown_diagnosis_is_named_with_its_line_and_what_to_do(tmp_path: Path) -> None:
    clinic(tmp_path, row(1), row(2, "Spitz"))
    with pytest.raises(DataError) as caught:
        read_clinic(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path / 'images.csv'}: line 3: diagnosis 'Spitz' is not one of akiec, bcc, bkl, df, "
        "mel, nv, vasc; "
    )
    assert "diagnoses.csv (columns name, dx)" in str(caught.value)


def test_a_diagnosis_may_not_stand_for_an_unknown_one(tmp_path: Path) -> None:
    clinic(tmp_path, row(1))
    write_diagnoses(tmp_path, "naevus,nv", "spitz,spitzoid")
    with pytest.raises(DataError, match=r"diagnoses\.csv: line 3: dx 'spitzoid' is not one of"):
        read_clinic(tmp_path)
    (tmp_path / "diagnoses.csv").write_text("name\nnaevus\n")
    with pytest.raises(DataError, match=r"diagnoses\.csv: the columns dx are missing"):
        read_clinic(tmp_path)


@pytest.mark.parametrize("again", ["photo-1", "photo-1.jpg"])
@pytest.mark.parametrize("dx", ["nv", ""])
def test_an_identifier_that_appears_twice_is_named_with_both_lines(
    tmp_path: Path, again: str, dx: str
) -> None:
    clinic(tmp_path, row(1, dx), row(2), row(3) | {"image": again})
    with pytest.raises(DataError) as caught:
        read_clinic(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path / 'images.csv'}: line 4: photo-1 is already in line 2"
    )


@pytest.mark.parametrize("age", ["old", "inf", "-1", "131", "1961"])
def test_what_is_no_age_is_named(tmp_path: Path, age: str) -> None:
    clinic(tmp_path, row(1, age="40"), row(2, age=age))
    with pytest.raises(DataError) as caught:
        read_clinic(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'images.csv'}: line 3: age '{age}' is not ")


@pytest.mark.parametrize(
    ("age", "years"), [("unknown", None), ("NaN", None), ("0", 0.0), ("61.5", 61.5)]
)
def test_an_age_is_in_years_or_not_known(tmp_path: Path, age: str, years: float | None) -> None:
    (record,) = read_clinic(clinic(tmp_path, row(1, age=age))).records
    assert record.age == years


@pytest.mark.parametrize("what", ["image", "lesion"])
def test_an_empty_identifier_is_named(tmp_path: Path, what: str) -> None:
    clinic(tmp_path, row(1), row(2) | {what: " "})
    with pytest.raises(DataError, match=rf"images\.csv: line 3: {what} is empty"):
        read_clinic(tmp_path)


def test_missing_images_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    clinic(tmp_path, row(1), row(2), row(3))
    for number in (2, 3):
        (tmp_path / f"photo-{number}.jpg").unlink()
    with pytest.raises(DataError) as caught:
        read_clinic(tmp_path)
    told = f"{tmp_path}: 2 of 3 images are missing, the first is photo-2.jpg"
    told += "; there lie 1 .csv, 1 .jpg"
    assert str(caught.value) == told


def test_what_is_wrong_with_single_rows_is_collected_and_the_others_are_kept(
    tmp_path: Path,
) -> None:
    clinic(
        tmp_path, row(1, age=""), row(2, "Spitz", age=""), row(3, age="old"), row(1, age=""),
        row(4, "", age=""), row(5, "df", age="7"),
    )  # fmt: skip
    problems: list[DataError] = []
    table = read_clinic_table(tmp_path, "ours", problems)
    assert [r.image_id for r in table.records] == ["photo-1", "photo-5"]
    assert table.out_of_scope == ("photo-4",)
    assert len(problems) == 3
    for problem, told in zip(problems, ("line 3: dia", "line 4: age", "line 5: pho"), strict=True):
        assert told in str(problem)


def test_images_out_of_scope_are_found_beside_bad_rows(tmp_path: Path) -> None:
    clinic(tmp_path, row(1, "Spitz"), row(2, ""))
    assert list(out_of_scope_images(tmp_path)) == ["photo-2"]


def test_a_folder_a_table_columns_and_rows_that_are_missing_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such folder; name the one with images\.csv"):
        read_clinic(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"images\.csv is missing; it needs the columns image, "):
        read_clinic(tmp_path)
    table = tmp_path / "images.csv"
    table.write_text("image,site\na,back\n")
    with pytest.raises(DataError, match=r"images\.csv: the columns lesion, diagnosis are missing"):
        read_clinic(tmp_path)
    table.write_text("image,lesion,dx\n")
    with pytest.raises(DataError, match=r"images\.csv: has no rows"):
        read_clinic(tmp_path)
    table.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match=r"images\.csv: is not a CSV file"):
        read_clinic(tmp_path)
