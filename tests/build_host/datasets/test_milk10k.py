from pathlib import Path

import numpy as np
import pytest

from build_host.datasets.milk10k import (
    Photograph,
    milk10k_out_of_scope,
    milk10k_photographs,
    read_milk10k,
    read_milk10k_tables,
)
from build_host.errors import DataError
from device.imaging.image_file import read_image
from tests.build_host import drawn

TRUTH = "MILK10k_Training_GroundTruth.csv"
METADATA = "MILK10k_Training_Metadata.csv"
CLASSES = (
    "AKIEC", "BCC", "BEN_OTH", "BKL", "DF", "INF", "MAL_OTH", "MEL", "NV", "SCCKA", "VASC",
)  # fmt: skip
COLUMNS = (
    "lesion_id", "image_type", "isic_id", "age_approx", "sex", "skin_tone_class", "site",
)  # fmt: skip


def truth(lesion: str, *marked: str) -> drawn.Row:
    return {"lesion_id": lesion} | {name: "1.0" if name in marked else "0.0" for name in CLASSES}


def metadata(lesion: str, image: str, kind: str = "dermoscopic", **more: str) -> drawn.Row:
    about = {"age_approx": "50", "sex": "male", "skin_tone_class": "3", "site": "trunk"}
    return {"lesion_id": lesion, "image_type": kind, "isic_id": image} | about | more


def pair(lesion: str, number: int) -> list[drawn.Row]:
    """Return the rows of a lesion's two pictures."""
    return [
        metadata(lesion, f"ISIC_{2 * number:07d}", "clinical: close-up"),
        metadata(lesion, f"ISIC_{2 * number + 1:07d}", "dermoscopic"),
    ]


def published(
    folder: Path, truths: list[drawn.Row] | None = None, rows: list[drawn.Row] | None = None
) -> Path:
    """Write both tables as they are published, and the images; by default a lesion of each class.

    Each has the number of its class: its photograph is even, its dermoscopic image odd.
    """
    folder.mkdir(exist_ok=True)
    truths = truths or [truth(f"IL_{n}", name) for n, name in enumerate(CLASSES)]
    rows = rows or [row for n in range(len(CLASSES)) for row in pair(f"IL_{n}", n)]
    drawn.write_metadata(folder / TRUTH, truths, ("lesion_id", *CLASSES))
    drawn.write_metadata(folder / METADATA, rows, COLUMNS)
    for number, row in enumerate(rows):
        place = folder / "images" / row["lesion_id"]
        place.parent.mkdir(exist_ok=True)
        drawn.write_image(place / f"{row['isic_id']}.jpg", "nv", number)
    return folder


def dermoscopic(name: str) -> str:
    return f"ISIC_{2 * CLASSES.index(name) + 1:07d}"


def test_dermoscopic_images_of_the_seven_diagnoses_are_read(tmp_path: Path) -> None:
    dataset = read_milk10k(published(tmp_path))
    assert dataset.name == "MILK10k"
    assert {r.image_id: r.dx for r in dataset.records} == {
        dermoscopic(name): dx
        for name, dx in (
            ("AKIEC", "akiec"), ("BCC", "bcc"), ("BKL", "bkl"), ("DF", "df"), ("MEL", "mel"),
            ("NV", "nv"), ("SCCKA", "akiec"), ("VASC", "vasc"),
        )
    }  # fmt: skip
    for record in dataset.records:
        path = tmp_path / "images" / record.lesion_id / f"{record.image_id}.jpg"
        np.testing.assert_array_equal(dataset.read(record), read_image(path))


def test_what_the_seven_diagnoses_do_not_name_is_out_of_scope(tmp_path: Path) -> None:
    folder = published(tmp_path)
    others = milk10k_out_of_scope(folder)
    assert set(others) == {dermoscopic(name) for name in ("BEN_OTH", "INF", "MAL_OTH")}
    name = dermoscopic("INF")
    assert others[name] == folder / "images" / f"IL_{CLASSES.index('INF')}" / f"{name}.jpg"
    others[name].unlink()
    assert name not in milk10k_out_of_scope(folder)
    # Nor does reading the others need it.
    assert len(read_milk10k(folder)) == 8


def test_photographs_are_of_every_class_and_neither_train_nor_are_out_of_scope(
    tmp_path: Path,
) -> None:
    folder = published(tmp_path)
    photographs = milk10k_photographs(folder)
    assert photographs == tuple(
        Photograph(name, f"IL_{n}", folder / "images" / f"IL_{n}" / f"{name}.jpg")
        for n, name in ((n, f"ISIC_{2 * n:07d}") for n in range(len(CLASSES)))
    )
    names = {p.image_id for p in photographs}
    assert not names & {r.image_id for r in read_milk10k(folder).records}
    assert not names & set(milk10k_out_of_scope(folder))
    photographs[0].path.unlink()
    assert milk10k_photographs(folder) == photographs[1:]
    assert len(read_milk10k(folder)) == 8


def test_the_metadata_tell_age_sex_site_and_skin_tone(tmp_path: Path) -> None:
    told = metadata("IL_1", "a", skin_tone_class="0", site="foot", sex="female", age_approx="85")
    bare = dict.fromkeys(("age_approx", "sex", "skin_tone_class", "site"), "")
    folder = published(
        tmp_path, [truth("IL_1", "MEL"), truth("IL_2", "NV")], [told, metadata("IL_2", "b", **bare)]
    )
    one, other = read_milk10k(folder).records
    assert (one.lesion_id, one.age, one.sex) == ("IL_1", 85.0, "female")
    assert (one.localization, one.skin_tone, one.source) == ("foot", "0", "MILK10k")
    assert (other.age, other.sex) == (None, "unknown")
    assert (other.localization, other.skin_tone, other.source) == ("unknown", "", "MILK10k")


def test_several_images_of_a_lesion_share_its_diagnosis(tmp_path: Path) -> None:
    rows = [metadata("IL_1", "a"), metadata("IL_1", "b")]
    records = read_milk10k(published(tmp_path, [truth("IL_1", "VASC")], rows)).records
    assert [(r.image_id, r.lesion_id, r.dx) for r in records] == [
        ("a", "IL_1", "vasc"), ("b", "IL_1", "vasc"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("marked", "told"),
    [((), "'IL_2' has 0 diagnoses"), (("MEL", "NV"), "'IL_2' has 2 diagnoses")],
)
def test_a_lesion_without_one_diagnosis_is_named_or_collected(
    tmp_path: Path, marked: tuple[str, ...], told: str
) -> None:
    folder = published(
        tmp_path, [truth("IL_1", "MEL"), truth("IL_2", *marked)], [metadata("IL_1", "a")]
    )
    with pytest.raises(DataError, match=rf"{TRUTH}: line 3: {told}, not one"):
        read_milk10k(folder)
    problems: list[DataError] = []
    assert [r.image_id for r in read_milk10k_tables(folder, problems).records] == ["a"]
    assert len(problems) == 1
    assert told in str(problems[0])


def test_bad_rows_of_the_metadata_are_named_or_collected(tmp_path: Path) -> None:
    rows = [metadata("IL_9", "a"), metadata("IL_1", "b", age_approx="old"), metadata("IL_1", "c")]
    folder = published(tmp_path, [truth("IL_1", "MEL")], rows)
    with pytest.raises(DataError, match=rf"{METADATA}: line 2: lesion 'IL_9' is not in {TRUTH}"):
        read_milk10k(folder)
    problems: list[DataError] = []
    assert [r.image_id for r in read_milk10k_tables(folder, problems).records] == ["c"]
    assert [str(p).removeprefix(f"{folder / METADATA}: ") for p in problems] == [
        f"line 2: lesion 'IL_9' is not in {TRUTH}", "line 3: age 'old' is not a number",
    ]  # fmt: skip


@pytest.mark.parametrize("table", [TRUTH, METADATA])
def test_a_missing_table_or_column_is_named(tmp_path: Path, table: str) -> None:
    folder = published(tmp_path)
    first, *rest = (folder / table).read_text().splitlines()
    (folder / table).write_text("\n".join([first.replace("lesion_id", "lesion"), *rest]))
    with pytest.raises(DataError, match=rf"{table}: the columns lesion_id are missing"):
        read_milk10k(folder)
    (folder / table).unlink()
    with pytest.raises(DataError, match=rf"{table} is missing"):
        read_milk10k(folder)


def test_photographs_alone_and_missing_images_are_told(tmp_path: Path) -> None:
    folder = published(tmp_path)
    next(folder.glob(f"images/*/{dermoscopic('MEL')}.jpg")).unlink()
    told = f"1 of 8 images are missing, the first is {dermoscopic('MEL')}.jpg"
    with pytest.raises(DataError, match=told):
        read_milk10k(folder)
    alone = [metadata("IL_1", "a", "clinical: close-up")]
    folder = published(tmp_path / "alone", [truth("IL_1", "MEL")], alone)
    with pytest.raises(DataError, match=rf"{METADATA}: has no rows of dermoscopic images"):
        read_milk10k(folder)


def test_it_may_come_as_one_table_with_the_photographs_in_another(tmp_path: Path) -> None:
    rows = [
        {"image_id": "a", "lesion_id": "IL_1", "dx": "mel", "skin_tone_class": "5"},
        {"image_id": "b", "lesion_id": "IL_2", "dx": "", "skin_tone_class": "1"},
    ]
    drawn.write_metadata(tmp_path / "metadata.csv", rows, tuple(rows[0]))
    for name in "ab":
        drawn.write_image(tmp_path / "images" / f"{name}.jpg", "mel", 1)
    for name in "cd":
        drawn.write_image(tmp_path / "clinical" / f"{name}.jpg", "mel", 2)
    dataset = read_milk10k(tmp_path)
    assert dataset.name == "MILK10k"
    assert [(r.image_id, r.dx, r.source, r.skin_tone) for r in dataset.records] == [
        ("a", "mel", "MILK10k", "5")
    ]
    assert milk10k_out_of_scope(tmp_path) == {"b": tmp_path / "images" / "b.jpg"}
    assert milk10k_photographs(tmp_path) == ()
    others = [{"image_id": n, "lesion_id": f"IL_{n}"} for n in "cde"]
    drawn.write_metadata(tmp_path / "clinical.csv", others, ("image_id", "lesion_id"))
    assert milk10k_photographs(tmp_path) == tuple(
        Photograph(name, f"IL_{name}", tmp_path / "clinical" / f"{name}.jpg") for name in "cd"
    )
