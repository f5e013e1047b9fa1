from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from rich.console import Console

from build_host.datasets import separation
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.isic2017 import ISIC2017, read_isic2017
from build_host.datasets.look_alikes import LookAlike
from build_host.datasets.sources import DataFolders, SourceName, split_sources
from build_host.errors import DataError
from build_host.evaluation.assessment import Separation
from build_host.pipeline import measurement
from build_host.pipeline.unseen import Seen, find_seen
from device.models.bundle import Bundle
from tests.build_host.datasets.test_isic2017 import ROWS, made
from tests.device.models.two_networks import shipped_bundle

Folders = Callable[..., DataFolders]
Rows = Callable[[str], int]


@pytest.fixture
def folders(ham10000: Path, milk10k: Path, tmp_path: Path) -> Folders:
    (tmp_path / "isic").mkdir()
    isic = made(tmp_path / "isic", (*ROWS[:2], "ISIC_0000001,test,mel", ROWS[3]))
    paths = {"ham10000": ham10000, "isic-2017": isic, "milk10k": milk10k}

    def named(*names: SourceName) -> DataFolders:
        return DataFolders({name: paths[name] for name in names})

    return named


def trained_on(*names: str, further: tuple[str, ...] = ()) -> Bundle:
    bundle = shipped_bundle("paper-28")
    origin = msgspec.structs.replace(bundle.manifest.provenance, sources=names, further=further)
    return replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, provenance=origin))


def let(monkeypatch: pytest.MonkeyPatch, *pairs: tuple[int, int]) -> None:
    alike = [LookAlike(first, second, 1.0) for first, second in pairs]
    monkeypatch.setattr(separation, "find_look_alikes", lambda *_: alike)


def test_test_image_that_looks_like_a_training_one_tests_nothing(
    folders: Folders, ham10000: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = read_ham10000(ham10000)
    split = split_sources(dataset)
    let(monkeypatch, (int(split.train[5]), int(split.test[3])))
    seen = find_seen(trained_on("ham10000"), folders("ham10000"), tmp_path / "cache")
    assert seen == Seen(frozenset({dataset.records[split.test[3]].image_id}), ())
    test = dataset.subset(split.test)
    left = seen.without(test)
    assert left.records == test.records[:3] + test.records[4:]
    assert seen.separation(test, test) == Separation({"HAM10000": 1}, [])


def test_isic2017s_test_part_is_compared_with_what_trained(
    folders: Folders, ham10000: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = folders("ham10000", "isic-2017")
    external = read_isic2017(named.folder("isic-2017"), ("test",))
    first = len(read_ham10000(ham10000))
    train = int(split_sources(read_ham10000(ham10000)).train[0])
    let(monkeypatch, (train, first))
    # A model that ISIC 2017 had no part in: only its test images follow HAM10000's.
    seen = find_seen(trained_on("ham10000"), named, tmp_path / "cache")
    assert seen.images == {external.records[0].image_id}
    assert seen.separation(external) == Separation({ISIC2017: 1}, [])
    # One that trained on the rest of it, which the older bundles tell in words.
    own = trained_on("ham10000", further=(f"images of {ISIC2017} (CC0): train and validation",))
    rest = len(read_isic2017(named.folder("isic-2017"), ("train", "validation")))
    let(monkeypatch, (first, first + rest))
    assert find_seen(own, named, tmp_path / "other").images == {external.records[0].image_id}


def test_what_is_not_at_hand_is_told(folders: Folders, tmp_path: Path) -> None:
    bundle = trained_on("ham10000", "milk10k", "bcn20000")
    seen = find_seen(bundle, folders("ham10000"), tmp_path / "cache")
    assert seen.not_compared == ("MILK10k", "BCN20000")
    seen = find_seen(trained_on("bcn20000"), folders("ham10000"), tmp_path / "cache")
    assert seen == Seen(frozenset(), ("BCN20000",))


def test_if_nothing_is_left_to_test_on_that_is_told(ham10000: Path) -> None:
    dataset = read_ham10000(ham10000).subset(np.arange(3))
    seen = Seen(frozenset(r.image_id for r in dataset.records), ())
    with pytest.raises(DataError, match="HAM10000: every test image looks like one"):
        seen.without(dataset)


def test_evaluation_leaves_out_what_was_seen(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every set of test images is told to `assess` without them, and how many they were."""
    named = folders("ham10000", "isic-2017", "milk10k")
    bundle = trained_on("ham10000", "milk10k")
    told: list[Any] = []
    monkeypatch.setattr(measurement, "assess", lambda *arguments: told.append(arguments))
    measurement.evaluate_bundle(bundle, named, Console(quiet=True), cache=tmp_path / "cache")
    _, test, _, external, _, _, sources, *_ = told[0]
    first = {external.records[0].image_id, test.records[0].image_id, sources.records[-1].image_id}
    monkeypatch.setattr(measurement, "find_seen", lambda *_: Seen(frozenset(first), ("BCN20000",)))
    measurement.evaluate_bundle(bundle, named, Console(quiet=True))
    _, fewer, _, fewer_external, _, _, fewer_sources, *_, kept_apart = told[1]
    assert len(fewer) == len(test) - 1
    assert len(fewer_external) == len(external) - 1
    assert len(fewer_sources) == len(sources) - 2
    for dataset in (fewer, fewer_external, fewer_sources):
        assert not first & {r.image_id for r in dataset.records}
    assert kept_apart.not_compared == ["BCN20000"]
    assert sorted(kept_apart.left_out.values()) == [1, 1, 1]
    assert {"HAM10000", ISIC2017} < set(kept_apart.left_out)
