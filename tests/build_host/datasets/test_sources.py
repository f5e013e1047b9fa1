from pathlib import Path

import numpy as np
import pytest

from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.sources import (
    SOURCES,
    DataFolders,
    licences,
    read_sources,
    split_sources,
)
from build_host.datasets.split import fold_of
from build_host.errors import DataError
from tests.build_host import drawn
from tests.build_host.datasets.test_clinic import clinic, row
from tests.build_host.datasets.test_isic2017 import made as isic2017
from tests.build_host.datasets.test_isic2019 import metadata, published, truth


@pytest.fixture
def folders(ham10000: Path, tmp_path: Path) -> DataFolders:
    """Return three collections: 176 images, two of a clinic and two of ISIC 2017 that train."""
    (tmp_path / "isic2017").mkdir()
    return DataFolders(
        {
            "ham10000": ham10000,
            "clinic": clinic(tmp_path / "ours", row(1, "mel"), row(2, "nv")),
            "isic-2017": isic2017(tmp_path / "isic2017"),
        }
    )


def test_one_source_is_what_its_reader_returns(folders: DataFolders, ham10000: Path) -> None:
    dataset, alone = read_sources(("ham10000",), folders), read_ham10000(ham10000)
    assert (dataset.name, dataset.records) == (alone.name, alone.records)


def test_several_sources_are_one_collection_in_the_order_of_their_names(
    folders: DataFolders,
) -> None:
    dataset = read_sources(("clinic", "ham10000", "isic-2017"), folders)
    assert dataset.name == "ours, HAM10000, ISIC 2017 (train, validation)"
    assert dataset.sources == ("ours", "HAM10000", "ISIC 2017")
    assert np.bincount(dataset.source_indices).tolist() == [2, 176, 2]
    assert dataset.source_indices.dtype == np.int64
    assert [r.source for r in dataset.records] == [
        dataset.sources[i] for i in dataset.source_indices
    ]
    for place, name in ((0, "clinic"), (2, "ham10000"), (178, "isic-2017")):
        own = SOURCES[name].read(folders.folder(name))
        np.testing.assert_array_equal(
            dataset.read(dataset.records[place]), own.read(own.records[0])
        )


def test_isic_2019_gives_no_image_that_isic_2017_tests_on(tmp_path: Path) -> None:
    (tmp_path / "2017").mkdir()
    folders = {"isic-2019": published(tmp_path / "2019")}
    name = "ISIC_0000002_downsampled"
    alone = read_sources(("isic-2019",), DataFolders(folders))
    assert name in {r.image_id for r in alone.records}
    # Its images need not be there to know which they are.
    at_hand = isic2017(tmp_path / "2017")
    (at_hand / "images" / "ISIC_0000002.jpg").unlink()
    both = DataFolders(folders | {"isic-2017": at_hand})
    apart = read_sources(("isic-2019",), both)
    assert {r.image_id for r in alone.records} - {r.image_id for r in apart.records} == {name}
    assert apart.name == "ISIC 2019 without ISIC 2017's test part"


def test_a_licence_is_told_once_with_whose_it_is() -> None:
    assert licences(["ham10000", "isic-2017", "bcn20000"]) == (
        "CC BY-NC 4.0 (HAM10000, BCN20000: attribution, non-commercial use); CC0 (ISIC 2017)"
    )
    assert licences(["clinic"]) == "the clinic's own pictures"


@pytest.mark.parametrize("first", ["ham10000", "isic-2019"])
def test_an_image_that_two_sources_have_is_the_firsts(
    ham10000: Path, tmp_path: Path, first: str
) -> None:
    both, alone = drawn.rows()[0]["image_id"], "ISIC_0053453"
    again = published(
        tmp_path,
        [truth(both, "MEL"), truth(alone, "NV")],
        [metadata(both, "HAM_0000550"), metadata(alone, "BCN_0000001")],
    )
    drawn.write_image(again / "images" / f"{both}.jpg", "vasc", 5)
    folders = DataFolders({"ham10000": ham10000, "isic-2019": again})
    names = ("ham10000", "isic-2019") if first == "ham10000" else ("isic-2019", "ham10000")
    dataset = read_sources(names, folders)
    assert len(dataset) == 177
    (record,) = [r for r in dataset.records if r.image_id == both]
    assert record.dx == (drawn.rows()[0]["dx"] if first == "ham10000" else "mel")
    own = SOURCES[names[0]].read(folders.folder(names[0]))
    np.testing.assert_array_equal(
        dataset.read(record), own.read(next(r for r in own.records if r.image_id == both))
    )


def test_isic_2017_only_trains_and_its_test_part_is_not_read(
    ham10000: Path, tmp_path: Path
) -> None:
    lesions = [f"ISIC_{n:07d}" for n in range(20)]
    # Some would test and some validate, if their lesions decided.
    assert {fold_of(lesion) for lesion in lesions} == set(range(5))
    parts = ("train", "validation", "test")
    rows = [f"{lesion},{parts[n % 3]},mel" for n, lesion in enumerate(lesions)]
    (tmp_path / "labels.csv").write_text("\n".join(["image_id,split,diagnosis", *rows]))
    for number, lesion in enumerate(lesions):
        drawn.write_image(tmp_path / "images" / f"{lesion}.jpg", "mel", number)
    folders = DataFolders({"isic-2017": tmp_path, "ham10000": ham10000})
    dataset = read_sources(("isic-2017", "ham10000"), folders)
    split = split_sources(dataset)
    added = np.flatnonzero(dataset.source_indices == dataset.sources.index("ISIC 2017"))
    assert [dataset.records[i].image_id for i in added] == [
        lesion for n, lesion in enumerate(lesions) if n % 3 != 2
    ]
    assert set(added) <= set(split.train)
    assert not set(added) & {*split.validation, *split.test}


def test_no_lesion_stands_in_two_parts_whatever_source_shows_it(
    ham10000: Path, tmp_path: Path
) -> None:
    lesions = [r["lesion_id"] for r in drawn.rows()]
    lesions = [next(i for i in lesions if fold_of(i) == fold) for fold in range(5)]
    rows = [row(n) | {"lesion": lesion} for n, lesion in enumerate([*lesions, "ours-1", "ours-2"])]
    folders = DataFolders({"ham10000": ham10000, "clinic": clinic(tmp_path, *rows)})
    dataset = read_sources(("ham10000", "clinic"), folders)
    split = split_sources(dataset)
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts)) == list(range(176 + len(rows)))
    shown = [{dataset.records[i].lesion_id for i in part} for part in parts]
    assert not shown[0] & shown[1]
    assert not shown[0] & shown[2]
    assert not shown[1] & shown[2]
    # A clinic's own pictures validate and test too.
    of_the_clinic = [set(dataset.source_indices[part]) for part in parts]
    assert of_the_clinic == [{0, 1}] * 3


def test_one_source_may_have_what_another_lacks(folders: DataFolders) -> None:
    with pytest.raises(DataError, match=r"ours: no image of akiec, .* falls into the"):
        split_sources(read_sources(("clinic",), folders))
    assert len(split_sources(read_sources(("clinic", "ham10000"), folders)).test) >= 98


@pytest.mark.parametrize(
    ("name", "option", "variable"),
    [
        ("ham10000", "--ham10000", "DERMASCOPE_HAM10000"),
        ("isic-2017", "--isic2017", "DERMASCOPE_ISIC2017"),
        ("isic-2019", "--isic2019", "DERMASCOPE_ISIC2019"),
        ("milk10k", "--milk10k", "DERMASCOPE_MILK10K"),
        ("bcn20000", "--bcn20000", "DERMASCOPE_BCN20000"),
        ("clinic", "--clinic", "DERMASCOPE_CLINIC"),
    ],
)
def test_a_source_without_a_folder_is_named_with_its_option_and_variable(
    tmp_path: Path, name: str, option: str, variable: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_sources((name,), DataFolders())
    assert str(caught.value).startswith(f"{SOURCES[name].title}: ")
    assert f"{option} DIR or ${variable}" in str(caught.value)
    assert DataFolders({name: tmp_path}).folder(name) == tmp_path


def test_no_source_is_read_before_every_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--milk10k DIR"):
        read_sources(("ham10000", "milk10k"), DataFolders({"ham10000": tmp_path / "none"}))
