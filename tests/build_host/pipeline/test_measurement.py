from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from build_host.datasets.sources import DataFolders
from build_host.pipeline import measurement
from build_host.reporting import example_sheet
from device.models.bundle import Bundle
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
