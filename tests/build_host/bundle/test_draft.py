"""A draft of a bundle is calibrated for whom its pictures are of."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from build_host.bundle.draft import calibrate_draft, fitted_on_the_mean
from build_host.calibration.case_mixes import (
    CASE_MIXES,
    fit_likelihood,
)
from build_host.calibration.fits import (
    fit_calibration,
)
from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.evaluation.inference import network_outputs
from device.diagnoses import CODES
from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle, load_bundle
from device.models.manifest import CAPTURED_FILE, MODEL_FILE
from tests.build_host import drawn
from tests.device.bundles import one_network
from tests.device.models.two_networks import shipped_bundle, sign_two_networks, two_networks


@pytest.fixture(scope="module")
def paper() -> Bundle:
    """The smallest shipped network."""
    return shipped_bundle("paper-28")


def drawings(*sources: str) -> Dataset:
    """Return drawn lesions, five of each diagnosis at each source."""
    records = tuple(
        ImageRecord(f"{source}-{dx}-{n}", f"{source}-{dx}-{n}", dx, source=source)
        for source in sources
        for dx in CODES
        for n in range(5)
    )

    def read(record: ImageRecord) -> NDArray[np.uint8]:
        source, dx, n = record.image_id.split("-")
        return np.asarray(drawn.picture(dx, 100 * sources.index(source) + int(n)))

    return Dataset("drawings", records, read)


@pytest.mark.parametrize("captured", [False, True])
def test_draft_is_calibrated_for_both_practices_where_there_are_two_sources(
    paper: Bundle, captured: bool
) -> None:
    found = calibrate_draft(paper, drawings("one", "two"), captured)
    manifest = found.manifest
    assert found.models == paper.models
    assert (manifest.case_mix, manifest.case_mixes) == ("screening", ("screening", "referral"))
    assert manifest.live.test_time_augmentation == ("dihedral" if captured else "none")
    mean = ", the mean of eight flips and rotations" if captured else ""
    assert manifest.live.calibration.fitted_on == f"fold 4 of one, two{mean}"
    assert fitted_on_the_mean(manifest.live) == captured
    for mix in manifest.live.case_mixes:
        assert mix.shares == CASE_MIXES[mix.name]
        assert manifest.with_case_mix(mix.name).live.calibration == mix.calibration
    assert manifest.with_case_mix("screening") == manifest
    Analyzer(found)


@pytest.mark.parametrize("captured", [False, True])
def test_draft_of_one_source_is_calibrated_for_its_own_mix(paper: Bundle, captured: bool) -> None:
    dataset = drawings("one")
    manifest = calibrate_draft(paper, dataset, captured).manifest
    assert (manifest.case_mix, manifest.case_mixes) == ("", ())
    outputs = network_outputs(paper, dataset, quiet=True, averaged=captured)
    expected = fit_calibration(np.array([o.logits for o in outputs]), dataset.labels)
    assert manifest.live.calibration.temperature == expected.temperature
    assert manifest.live.calibration.bias == expected.bias
    assert manifest.live.test_time_augmentation == "dihedral" or not captured
    assert fitted_on_the_mean(manifest.live) == captured


@pytest.mark.parametrize("captured", [False, True])
def test_shipped_network_fitted_to_one_clinic_keeps_its_case_mixes_and_what_it_refuses(
    captured: bool,
) -> None:
    shipped = one_network(shipped_bundle("multicentre"))
    found = calibrate_draft(shipped, drawings("clinic"), captured).manifest
    assert found.case_mixes == ("screening", "referral")
    mean = ", the mean of eight flips and rotations" if captured else ""
    assert found.live.calibration.fitted_on == f"fold 4 of clinic{mean}"
    for mix in found.live.case_mixes:
        assert mix.abstention.not_dermoscopic_below is not None
    Analyzer(replace(shipped, manifest=found))


@pytest.mark.parametrize("sources", [("one",), ("one", "two")])
def test_each_of_two_networks_is_calibrated_for_its_own_pictures(
    paper: Bundle, tmp_path: Path, sources: tuple[str, ...]
) -> None:
    other, dataset = one_network(shipped_bundle("multicentre")), drawings(*sources)
    bare = msgspec.structs.replace(other.manifest.live, case_mixes=())
    unread = msgspec.structs.replace(other.manifest, live=bare, case_mix="")
    other = replace(other, manifest=unread)
    key = sign_two_networks(tmp_path, two_networks(paper, other), paper, other)
    found = calibrate_draft(load_bundle(tmp_path, (key,)), dataset)
    manifest = found.manifest
    assert manifest.live == calibrate_draft(paper, dataset).manifest.live
    alone = calibrate_draft(other, dataset, captured=True).manifest.live
    assert manifest.captured == msgspec.structs.replace(alone, file=CAPTURED_FILE)
    assert found.models == {MODEL_FILE: paper.live_model, CAPTURED_FILE: other.live_model}
    assert manifest.case_mix == ("" if len(sources) == 1 else "screening")
    # And again, from what is there now; the live view has one pass, whatever is asked for.
    assert calibrate_draft(found, dataset).manifest == manifest
    assert calibrate_draft(found, dataset, captured=True).manifest == manifest


def test_captured_draft_is_fitted_to_the_mean_over_the_views(paper: Bundle) -> None:
    dataset = drawings("one", "two")
    outputs = network_outputs(paper, dataset, quiet=True, averaged=True)
    assert all(o.views is not None and o.views.shape == (8, 7) for o in outputs)
    logits = np.array([o.logits for o in outputs])
    expected = fit_likelihood(logits, dataset.labels, dataset.source_indices).under(
        CASE_MIXES["screening"], "fold 4 of one, two, the mean of eight flips and rotations"
    )
    draft = calibrate_draft(paper, dataset, captured=True)
    found = draft.manifest.live
    assert found.calibration == expected
    # It stays one for captured pictures, although nobody says so again.
    assert calibrate_draft(draft, dataset).manifest == draft.manifest
    assert calibrate_draft(paper, dataset).manifest.live.calibration != expected
