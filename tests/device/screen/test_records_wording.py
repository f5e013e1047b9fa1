from datetime import date

import pytest

from device.anatomy import BodySite, BodyView
from device.imaging.registration import Refusal
from device.inference.change import Change, Measure
from device.inference.recommendation import Recommendation
from device.language import Language
from device.models.manifest import Manifest
from device.records.listing import WorkKind
from device.records.patients import Action, Patient, Role, Sex
from device.records.words import ACTIONS, SEXES, SIDE_LETTERS, SITES, site_line
from device.screen import records_wording as words
from device.screen.conclusion import conclusion_of
from device.screen.view import Case
from device.screen.wording import Wording
from tests.device.screen.findings import make_finding
from tests.device.screen.record_states import (
    CHANGES,
    DECIDED,
    FOREARM,
    PATIENT,
    REFERRED,
    UNFAMILIAR,
    UNSURE,
    URGENT,
    record,
)


@pytest.fixture(params=list(Language))
def wording(request: pytest.FixtureRequest, manifest: Manifest) -> Wording:
    return Wording(request.param, manifest)


@pytest.fixture
def english(manifest: Manifest) -> Wording:
    return Wording(Language.ENGLISH, manifest)


def test_there_is_a_word_for_everything(wording: Wording) -> None:
    for table, kinds in (
        (SITES, BodySite), (words.VIEWS, BodyView), (ACTIONS, Action),
        (SEXES, Sex), (words.ROLES, Role), (words.MEASURES, Measure),
        (words.REFUSALS, Refusal), (words.WORK, {*WorkKind, None}),
    ):  # fmt: skip
        assert set(table) == set(kinds)
        said = [wording.translate(word) for word in table.values()]
        assert all(said)
        assert len(set(said)) == len(said)


def test_sides_are_told_apart_in_every_language(wording: Wording) -> None:
    letters = {wording.translate(letter) for letter in SIDE_LETTERS.values()}
    assert len(letters) == 2
    assert site_line(None, wording) == ""


def test_next_picture_is_told_in_fewer_and_fewer_words(english: Wording) -> None:
    case = Case("P-1", 2, FOREARM)
    assert words.case_lines(case, english) == (
        "P-1 · Lesion 2 · Forearm, on the left", "P-1 · Lesion 2", "P-1 · 2", "P-1",
    )  # fmt: skip
    assert words.case_lines(Case("P-1", 0), english)[0] == "P-1 · New lesion"
    assert words.case_lines(Case("P-1"), english) == ("P-1: no lesion chosen", "P-1")
    region = words.case_lines(Case("P-1", 2, FOREARM, region=True), english)
    assert region[0] == "P-1 · Lesion 2 · Region"
    assert words.case_lines(Case("P-1", filing=True), english)[0] == "P-1: choose a lesion"


def test_patient_is_described_by_what_is_known(english: Wording) -> None:
    assert words.about(PATIENT, english) == "born 1961, Female, phototype II"
    assert words.about(Patient(key="a" * 32, identifier="x"), english) == ""


def test_decision_and_date_are_told_in_a_line(english: Wording) -> None:
    assert words.decided(None, english) == "Not decided"
    assert words.decided(DECIDED, english) == "Follow up 2026-06-04"
    assert words.decided(REFERRED, english) == "Refer"
    today = date(2026, 3, 4)
    assert words.due_line(date(2026, 2, 11), today, english) == "2026-02-11, 21 days late"
    assert words.due_line(today, today, english) == "2026-03-04"


def test_undecided_picture_is_told_with_what_the_model_asks_for(english: Wording) -> None:
    assert words.state_of(record(0, said=URGENT), english) == "Not decided: Excise or refer"
    assert words.state_of(record(0, said=UNSURE), english) == "Not decided: Follow up or refer"
    # What is told of pictures that it does not know misleads.
    assert words.state_of(record(0, said=UNFAMILIAR), english) == "Not decided"
    calm = make_finding("nv", recommendation=Recommendation.NO_SIGN)
    assert words.state_of(record(0, said=calm), english) == "Not decided"
    assert words.state_of(record(0, REFERRED, URGENT), english) == "Refer"


def test_conclusion_says_first_what_is_asked_for(english: Wording) -> None:
    said = conclusion_of(URGENT, english)
    assert (said.first, said.recommendation) == ("Excise or refer", Recommendation.REFER)
    assert said.second == "Melanocytic naevus  53 %. Not excluded: Melanoma"
    said = conclusion_of(UNSURE, english)
    assert (said.first, said.second) == ("Follow up or refer", "No call: uncertain")
    said = conclusion_of(UNFAMILIAR, english)
    assert (said.first, said.second) == ("No call: unfamiliar", "Malignancy is not excluded.")
    assert said.unsure
    plain = conclusion_of(make_finding("mel", 0.62), english)
    assert (plain.first, plain.second, plain.malignant) == ("Melanoma  62 %", "", True)


def test_change_is_told_with_its_uncertainty(english: Wording, manifest: Manifest) -> None:
    said = {change.measure: words.change_words(change, english) for change in CHANGES}
    assert said == {
        Measure.AREA: ("+62 %", "± 34 %"),
        Measure.DIAMETER: ("+21 %", "± 23 %"),
        Measure.ASYMMETRY: ("+3", "± 8"),
        Measure.COLOUR: ("ΔE 12.3", "± 10.5"),
        Measure.MALIGNANCY: ("12 % to 20 %", "± 22"),
    }
    smaller = Change(Measure.AREA, None, None, -0.2, 0.34, False)
    assert words.change_words(smaller, english)[0] == "−20 %"
    spanish = Wording(Language.SPANISH, manifest)
    assert words.change_words(CHANGES[3], spanish) == ("ΔE 12,3", "± 10,5")


def test_similar_lesions_are_counted_the_commonest_first(english: Wording) -> None:
    assert words.similar_line((), english) == ""
    similar = ("bcc", "vasc", *("nv",) * 9, *("bkl",) * 3, *("df",) * 2)
    # No malignant one is left out.
    assert words.similar_line(similar, english) == (
        "Of the 16 most similar proven lesions: 9 Melanocytic naevus, "
        "3 Seborrhoeic keratosis / lentigo, 2 Dermatofibroma, 1 Basal cell carcinoma"
    )
