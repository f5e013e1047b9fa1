"""What is measured of a run or a bundle on a fold, and the sheets that show it."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from rich.console import Console

from build_host.calibration.degradation import Study, study_degradation
from build_host.datasets.dataset import Dataset, concatenate
from build_host.datasets.milk10k import Photograph, milk10k_out_of_scope
from build_host.datasets.sampling import balanced_sample
from build_host.datasets.sources import DataFolders, SourceName, at_full_size
from build_host.evaluation.assessment import Assessment, assess
from build_host.evaluation.comparison import Peer, measure_peer
from build_host.evaluation.judgement import Judgement, judge
from build_host.files import replacing
from build_host.pipeline.folds import fold, main_fold, own_fold, photographs
from build_host.pipeline.release import open_run_or_bundle
from build_host.pipeline.unseen import find_seen, isic2017_tests
from build_host.pipeline.workspace import open_draft
from build_host.results import write_result
from build_host.run_folder import RunFolder
from device.models.bundle import Bundle

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def evaluate_run(folder: RunFolder, folders: DataFolders, console: Console) -> Assessment:
    """Measure a run's int8 file in every way, and write the result."""
    bundle = open_draft(folder)
    result = evaluate_bundle(bundle, folders, console, folder.float_model, folder.cache)
    write_result(folder.metrics, result)
    return result


def evaluate_bundle(
    bundle: Bundle,
    folders: DataFolders,
    console: Console,
    float_file: Path | None = None,
    cache: Path | None = None,
) -> Assessment:
    """Measure a bundle in every way, through the device's own Analyzer.

    Left out are test images that look like one that it was trained or calibrated on.

    Parameters
    ----------
    float_file
        The same network before quantization, where there is one.
    cache
        Folder of decoded images; by default one that is forgotten.
    """
    with tempfile.TemporaryDirectory() as temporary:
        seen = find_seen(bundle, folders, cache or Path(temporary))
    test = main_fold(bundle, folders, "test")
    float_model = float_file.read_bytes() if float_file and float_file.is_file() else None
    named: list[SourceName] = [n for n in folders.sources if n not in ("isic-2017", "ham10000")]
    own = bundle.manifest.provenance.sources
    known: list[SourceName] = ["ham10000"] if "ham10000" in folders.sources else []
    several = len(own) > 1 or set(named) - set(own)
    sources = fold((*known, *named), folders, "test") if named and several else None
    external = isic2017_tests(bundle, folders)
    if external is None and "isic-2017" in folders.sources:
        console.print(
            "ISIC 2017 is not tested on: ISIC 2019, which the model was trained on, holds some of "
            "its test images; train again with ISIC 2017's folder named to keep them out",
            soft_wrap=True,
        )
    taken: list[Photograph] = []
    others: list[Path] = []
    if "milk10k" in folders.sources:
        taken = photographs(folders, "test")
        others = list(milk10k_out_of_scope(folders.folder("milk10k")).values())
    return assess(
        bundle,
        seen.without(test),
        _outlines_of(bundle, folders),
        seen.without(external) if external else None,
        float_model,
        console,
        seen.without(sources) if sources else None,
        [photo.path for photo in taken],
        others,
        seen.separation(*(d for d in (test, sources, external) if d)),
    )


def _outlines_of(bundle: Bundle, folders: DataFolders) -> Path | None:
    """Return where HAM10000's outlines are, if it is that whose images `main_fold` gives."""
    main = "ham10000" in bundle.manifest.provenance.sources
    return folders.sources.get("ham10000") if main else None


def judge_bundle(
    bundle: Bundle,
    folders: DataFolders,
    part: Literal["validation", "test"],
    images: int | None = None,
) -> Judgement:
    """Measure a bundle's judgement on a fold of every collection that is there, HAM10000's first.

    Parameters
    ----------
    images
        How many of each collection, or None for all.
    """
    held: list[SourceName] = [n for n in folders.sources if n not in ("isic-2017", "ham10000")]
    named = (*(("ham10000",) if "ham10000" in folders.sources else ()), *held)
    dataset = fold(named, folders, part)
    order = np.random.default_rng(0).permutation(len(dataset))
    source = dataset.source_indices
    rows = [order[source[order] == i][: images or len(order)] for i in range(len(dataset.sources))]
    judged = dataset.subset(np.concatenate([np.sort(own) for own in rows]))
    external = isic2017_tests(bundle, folders)
    if part == "test" and external is not None:
        judged = concatenate(judged, external)
    return judge(bundle, judged)


def compare(
    folder: RunFolder, others: Sequence[Path], folders: DataFolders, trusted_keys: Iterable[str]
) -> list[Peer]:
    """Measure a run, other runs and bundles on the same test images, and write the result.

    Raises
    ------
    device.errors.DermascopeError
        If one of them cannot be opened; before any is measured.
    """
    trusted = tuple(trusted_keys)
    bundles = [open_draft(folder), *(open_run_or_bundle(path, trusted) for path in others)]
    seen = find_seen(bundles[0], folders, folder.cache)
    test = seen.without(main_fold(bundles[0], folders, "test"))
    peers = [measure_peer(bundle, test) for bundle in bundles]
    write_result(folder.peers, peers)
    return peers


def study_quality(
    bundle: Bundle, folders: DataFolders, out: RunFolder, images: int, levels: int
) -> Study:
    """Write where a model's accuracy falls on degraded images, and its plot.

    Parameters
    ----------
    out
        Where to; for a bundle, which is not changed, a folder of its own.
    images
        How many of the validation fold to degrade.
    levels
        Amounts of each degradation.
    """
    from build_host.reporting.plots import degradation_curves

    validation = own_fold(bundle, folders, "validation")
    sample = balanced_sample(at_full_size(validation), images)
    result = study_degradation(bundle, sample, validation, levels)
    write_result(out.quality_study, result)
    _write_figure(out.quality_plot, degradation_curves(result), dpi=120)
    return result


def write_example_sheet(bundle: Bundle, folders: DataFolders, path: Path) -> None:
    """Write a page of what a bundle gets right and wrong on the validation fold."""
    from build_host.reporting.example_sheet import example_sheet

    validation = main_fold(bundle, folders, "validation")
    sheet = example_sheet(bundle, validation, _outlines_of(bundle, folders))
    _write_figure(path, sheet, dpi=90)


def write_data_sheet(dataset: Dataset, path: Path) -> None:
    """Write a page of what is in a collection, which has an image at least."""
    from build_host.reporting.data_sheet import data_sheet

    _write_figure(path, data_sheet(dataset), dpi=80)


def _write_figure(path: Path, figure: "Figure", dpi: int) -> None:
    with replacing(path) as part:
        figure.savefig(part, dpi=dpi, format=path.suffix.removeprefix(".") or "png")
