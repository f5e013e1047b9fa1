import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.isic2019 import APART
from build_host.datasets.sources import DataFolders
from build_host.pipeline import measurement
from build_host.pipeline.unseen import Seen
from build_host.reporting import example_sheet
from device.models.bundle import Bundle
from tests.build_host.datasets.test_isic2017 import made
from tests.device.models.two_networks import shipped_bundle


def trained_on(*names: str) -> Bundle:
    bundle = shipped_bundle("paper-28")
    origin = msgspec.structs.replace(bundle.manifest.provenance, sources=names)
    return replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, provenance=origin))


@pytest.mark.parametrize("trained", [("ham10000",), ("ham10000", "clinic"), ("clinic",)])
def test_outlines_of_ham10000_are_for_its_own_images_alone(
    trained: tuple[str, ...],
    ham10000: Path,
    clinic_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clinic's pictures have none, although HAM10000 may be at hand."""
    folders = DataFolders({"ham10000": ham10000, "clinic": clinic_folder})
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(measurement, "assess", lambda *arguments: told.append(arguments))
    monkeypatch.setattr(example_sheet, "example_sheet", lambda *arguments: told.append(arguments))
    monkeypatch.setattr(measurement, "_write_figure", lambda *_, **__: None)
    bundle = trained_on(*trained)
    measurement.evaluate_bundle(bundle, folders, Console(quiet=True))
    measurement.write_example_sheet(bundle, folders, tmp_path / "examples.png")
    for _, images, outlines, *_ in told:
        assert images.sources == (("HAM10000",) if "ham10000" in trained else ("ward-7",))
        assert outlines == (ham10000 if "ham10000" in trained else None)
    assert len(told) == 2


@pytest.mark.parametrize(
    ("sources", "dataset", "tested"),
    [
        (("ham10000",), "HAM10000", True),
        (("isic-2019",), "ISIC 2019", False),
        (("ham10000", "isic-2019"), "HAM10000, ISIC 2019", False),
        (("ham10000", "isic-2019"), f"HAM10000, {APART}", True),
    ],
)
def test_isic_2017_is_no_test_of_what_may_have_trained_on_it(
    ham10000: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sources: tuple[str, ...],
    dataset: str,
    tested: bool,
) -> None:
    bundle = trained_on(*sources)
    origin = msgspec.structs.replace(bundle.manifest.provenance, dataset=dataset)
    manifest = msgspec.structs.replace(bundle.manifest, provenance=origin)
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(measurement, "assess", lambda *arguments: told.append(arguments))
    monkeypatch.setattr(measurement, "find_seen", lambda *_: Seen(frozenset(), ()))
    monkeypatch.setattr(measurement, "main_fold", lambda *_: read_ham10000(ham10000))
    folders = DataFolders({"ham10000": ham10000, "isic-2017": made(tmp_path)})
    written = io.StringIO()
    measurement.evaluate_bundle(
        replace(bundle, manifest=manifest), folders, Console(file=written, width=400)
    )
    external = told[0][3]
    assert (external is not None) == tested
    assert ("ISIC 2017 is not tested on" in written.getvalue()) == (not tested)
