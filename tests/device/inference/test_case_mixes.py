"""One bundle, read for two practices."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from device.diagnoses import MALIGNANT
from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.inference.finding import FindingRecord, from_record, to_record
from device.models.bundle import Bundle, load_bundle
from tests.device.bundles import plain_manifest, write_bundle
from tests.device.models.case_mixes import SHARES, with_case_mixes, without_case_mixes
from tests.device.models.two_networks import shipped_bundle, sign_two_networks, two_networks


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Bundle:
    """A bundle of two networks, read for a screening practice."""
    folder, other = tmp_path_factory.mktemp("mixed"), shipped_bundle("paper-28")
    manifest = with_case_mixes(two_networks(bundle, other))
    return load_bundle(folder, (sign_two_networks(folder, manifest, bundle, other),))


@pytest.fixture(scope="module")
def screening(mixed: Bundle) -> Analyzer:
    return Analyzer(mixed)


@pytest.fixture(scope="module")
def referral(mixed: Bundle) -> Analyzer:
    return Analyzer(mixed.with_case_mix("referral"))


@pytest.mark.parametrize("as_captured", [False, True], ids=["live", "captured"])
def test_same_picture_is_likelier_malignant_where_more_lesions_are(
    screening: Analyzer, referral: Analyzer, frames: tuple[Frame, ...], as_captured: bool
) -> None:
    shift = np.array(SHARES["referral"]) / np.array(SHARES["screening"])
    for frame in frames:
        few, many = (a.analyze(frame, as_captured=as_captured) for a in (screening, referral))
        assert many.malignancy > few.malignancy
        assert few.case_mix == "screening"
        assert many.case_mix == "referral"
        # By as much as Bayes's rule says: the picture itself says the same.
        moved = np.array(few.probabilities) * shift
        np.testing.assert_allclose(many.probabilities, moved / moved.sum(), atol=1e-6)


def test_shares_of_the_drawn_practices_differ_in_what_is_malignant() -> None:
    codes = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    few, many = (
        sum(s for c, s in zip(codes, shares, strict=True) if c in MALIGNANT)
        for shares in SHARES.values()
    )
    assert many > 2 * few


@pytest.mark.parametrize("as_captured", [False, True], ids=["live", "captured"])
def test_points_sets_and_abstention_are_those_of_the_practice(
    screening: Analyzer, referral: Analyzer, frames: tuple[Frame, ...], as_captured: bool
) -> None:
    few, many = (a.analyze(frames[0], as_captured=as_captured) for a in (screening, referral))
    assert screening.reached_operating_points(few) == ["malignant-screening"]
    assert referral.reached_operating_points(many) == ["malignant-referral"]
    assert len(few.prediction_set) < 7
    assert len(many.prediction_set) == 7
    assert (few.abstention, many.abstention) == ("uncertain", None)


def test_live_view_and_burst_say_for_which_practice_they_speak(
    referral: Analyzer, frames: tuple[Frame, ...]
) -> None:
    assert referral.analyze_live(frames[0]).case_mix == "referral"
    assert referral.analyze_burst(frames[:1])[1].case_mix == "referral"


def test_practice_stands_in_the_record_and_comes_back(
    referral: Analyzer, frames: tuple[Frame, ...]
) -> None:
    finding = referral.analyze(frames[0])
    record = to_record(finding, "a.jpg", [])
    assert record.case_mix == "referral"
    written = msgspec.json.encode(record)
    assert msgspec.json.decode(written)["case_mix"] == "referral"
    again = msgspec.json.decode(written, type=FindingRecord)
    assert again == record
    assert from_record(again, finding.field).case_mix == "referral"


def test_record_that_is_older_than_case_mixes_is_of_none(
    referral: Analyzer, frames: tuple[Frame, ...]
) -> None:
    finding = referral.analyze(frames[0])
    plain = msgspec.json.decode(msgspec.json.encode(to_record(finding, "a.jpg", [])))
    del plain["case_mix"]
    old = msgspec.convert(plain, FindingRecord)
    assert old.case_mix == from_record(old, finding.field).case_mix == ""


def test_bundle_without_case_mixes_speaks_for_no_practice_by_name(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    manifest = without_case_mixes(plain_manifest(bundle))
    key = write_bundle(tmp_path, manifest, bundle.live_model)
    assert Analyzer(load_bundle(tmp_path, (key,))).analyze(frames[0]).case_mix == ""
