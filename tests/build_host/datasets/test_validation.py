"""``dermascope-build data check``: everything that is wrong, in one go, before hours are spent."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.build_host import drawn
from tests.build_host.conftest import Done
from tests.build_host.datasets.test_isic2017 import made as isic2017
from tests.build_host.datasets.test_isic2019 import published as isic2019
from tests.build_host.datasets.test_milk10k import published as milk10k


def image(folder: Path, number: int) -> Path:
    """Return the file of a row's image."""
    return next(folder.glob(f"*/{drawn.rows()[number]['image_id']}.jpg"))


def spoil_rows(folder: Path, changes: dict[int, dict[str, str]]) -> None:
    """Write the metadata anew with some rows changed, each by its number."""
    content = drawn.rows()
    for number, change in changes.items():
        content[number] |= change
    drawn.write_metadata(folder / "HAM10000_metadata.csv", content)


def complaints(done: Done) -> list[str]:
    lines = done.err.splitlines()
    assert all(line.startswith("dermascope-build: ") for line in lines)
    return [line.removeprefix("dermascope-build: ") for line in lines]


def test_a_data_set_without_fault_is_said_to_be_usable(
    command: Callable[..., Done], ham10000: Path
) -> None:
    done = command("data", "check", "ham10000", ham10000)
    assert done.status == 0
    assert done.err == ""
    count = len(drawn.rows())
    assert f"{count} usable images; 0 problems" in done.out
    unknown = sum(not row["age"] for row in drawn.rows())
    assert f"Note: {unknown} images without an age" in done.out


def test_every_fault_is_named_at_once(command: Callable[..., Done], spoilable: Path) -> None:
    spoil_rows(spoilable, {3: {"dx": "scc"}, 4: {"age": "old"}})
    image(spoilable, 9).unlink()
    damaged, small, copied = (image(spoilable, n) for n in (10, 11, 12))
    damaged.write_bytes(damaged.read_bytes()[:700])
    Image.new("RGB", (20, 40)).save(small)
    copied.write_bytes(image(spoilable, 30).read_bytes())
    done = command("data", "check", "ham10000", spoilable)
    assert done.status == 2
    found = complaints(done)
    assert len(found) == 6
    name = {n: drawn.rows()[n]["image_id"] for n in (9, 12, 30)}
    for parts in (
        ("HAM10000_metadata.csv", "line 5", "'scc'"),
        ("HAM10000_metadata.csv", "line 6", "'old'"),
        (str(spoilable), name[9], "has no .jpg file"),
        (str(damaged), "damaged or cut short"),
        (str(small), "is 20 x 40 pixels; at least 28"),
        (name[12], name[30], "the same image under the lesions"),
    ):
        assert len([line for line in found if all(part in line for part in parts)]) == 1, parts
    assert f"{len(drawn.rows()) - 5} usable images; 6 problems" in done.out


def test_an_image_without_a_row_does_no_harm_and_is_told(
    command: Callable[..., Done], spoilable: Path
) -> None:
    extra = image(spoilable, 0).with_name("ISIC_0000001.jpg")
    extra.write_bytes(image(spoilable, 1).read_bytes())
    done = command("data", "check", "ham10000", spoilable)
    assert done.status == 0
    assert f"Note: {extra}: has no row in the metadata and will not be used" in done.out


def test_many_notes_are_cut_short(command: Callable[..., Done], spoilable: Path) -> None:
    for number in range(30):
        extra = image(spoilable, 0).with_name(f"ISIC_00000{number:02d}.jpg")
        extra.write_bytes(image(spoilable, 1).read_bytes())
    done = command("data", "check", "ham10000", spoilable)
    assert done.status == 0
    assert done.out.count("has no row in the metadata") == 20
    assert "Note: and 11 more" in done.out


def test_a_diagnosis_that_a_part_of_the_split_lacks_is_told(
    command: Callable[..., Done], spoilable: Path
) -> None:
    content = [r for r in drawn.rows() if r["dx"] != "df" or drawn.fold_of(r["lesion_id"]) != 4]
    drawn.write_metadata(spoilable / "HAM10000_metadata.csv", content)
    done = command("data", "check", "ham10000", spoilable)
    assert done.status == 2
    (line,) = complaints(done)
    assert "no image of df" in line


def test_the_table_of_pixels_is_checked_too(
    command: Callable[..., Done], spoilable_table: Path
) -> None:
    done = command("data", "check", "ham10000", spoilable_table)
    assert done.status == 0, done.err
    path = spoilable_table / "hmnist_28_28_RGB.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[2:], lines[1]]) + "\n")
    done = command("data", "check", "ham10000", spoilable_table)
    assert done.status == 2
    (line,) = complaints(done)
    assert "not in the same order" in line


def clinics_rows() -> list[drawn.Row]:
    """Return the rows of the drawn data set as a clinic's table has them, and one out of scope."""
    rows = [
        {"image": r["image_id"], "lesion": r["lesion_id"], "dx": r["dx"], "age": "40"}
        for r in drawn.rows()
    ]
    return [*rows, {"image": "scar", "lesion": "scar", "dx": "", "age": ""}]


@pytest.fixture
def clinic(spoilable: Path) -> Path:
    (spoilable / "HAM10000_metadata.csv").unlink()
    drawn.write_metadata(spoilable / "images.csv", clinics_rows(), tuple(clinics_rows()[0]))
    drawn.write_image(spoilable / "scar.jpg", "nv", 999)
    return spoilable


def test_a_clinics_pictures_are_checked_and_what_is_out_of_scope_is_counted(
    command: Callable[..., Done], clinic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = command("data", "check", "clinic", clinic)
    assert done.status == 0, done.err
    assert "Note: 1 images are not of the seven diagnoses, or have no row" in done.out
    assert f"{len(drawn.rows())} usable images; 0 problems" in done.out
    # Its folder may be named by the environment.
    monkeypatch.setenv("DERMASCOPE_CLINIC", str(clinic))
    assert command("data", "check", "clinic").out == done.out


def test_every_fault_of_a_clinics_pictures_is_named_at_once(
    command: Callable[..., Done], clinic: Path
) -> None:
    rows = clinics_rows()
    rows[3] |= {"dx": "Spitz"}
    rows[4] |= {"age": "old"}
    rows[6] |= {"image": rows[5]["image"]}
    drawn.write_metadata(clinic / "images.csv", rows, tuple(rows[0]))
    image(clinic, 9).unlink()
    done = command("data", "check", "clinic", clinic)
    assert done.status == 2
    found = complaints(done)
    assert len(found) == 4
    for parts in (
        ("line 5", "'Spitz'", "diagnoses.csv"),
        ("line 6", "'old'"),
        ("line 8", rows[5]["image"], "line 7"),
        (str(clinic), rows[9]["image"], "has no .jpg file"),
    ):
        assert len([line for line in found if all(part in line for part in parts)]) == 1, parts
    assert f"{len(drawn.rows()) - 4} usable images; 4 problems" in done.out


@pytest.mark.parametrize("name", ["isic-2017", "isic-2019", "milk10k", "bcn20000"])
def test_other_collections_are_checked_by_their_own_tables(
    command: Callable[..., Done], tmp_path: Path, name: str
) -> None:
    make = {"isic-2017": isic2017, "isic-2019": isic2019, "milk10k": milk10k, "bcn20000": isic2019}
    done = command("data", "check", name, make[name](tmp_path))
    count = {"isic-2017": 3, "isic-2019": 5, "milk10k": 8, "bcn20000": 2}[name]
    assert f"{count} usable images" in done.out
    if name == "isic-2017":
        # Even its test part; and it is never split.
        assert (done.status, done.err) == (0, "")
    else:
        # So few cannot be split.
        (line,) = complaints(done)
        assert "falls into the training part" in line
        others = {"isic-2019": 1, "milk10k": 14, "bcn20000": 4}[name]
        assert f"Note: {others} images are not of the seven diagnoses" in done.out


def test_a_collection_without_a_folder_or_a_name_is_told(command: Callable[..., Done]) -> None:
    done = command("data", "check", "milk10k")
    assert done.status == 2
    (line,) = complaints(done)
    assert line == "MILK10k: name its folder, here or with $DERMASCOPE_MILK10K"
    done = command("data", "check", "padufes")
    assert done.status == 2
    assert "ham10000" in done.err
    assert "Traceback" not in done.err


def test_what_cannot_be_checked_at_all_is_told(
    command: Callable[..., Done], tmp_path: Path
) -> None:
    done = command("data", "check", "ham10000", tmp_path / "none")
    assert done.status == 2
    (line,) = complaints(done)
    assert f"{tmp_path / 'none'}: no such folder" in line


def test_two_images_of_one_name_are_told(command: Callable[..., Done], spoilable: Path) -> None:
    first = image(spoilable, 0)
    (spoilable / "small").mkdir()
    Image.open(first).resize((32, 32)).save(spoilable / "small" / first.name)
    done = command("data", "check", "ham10000", spoilable)
    assert done.status == 2
    (line,) = complaints(done)
    assert "1 images are there twice and differ" in line
    assert f"small/{first.name}" in line
