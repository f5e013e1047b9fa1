"""What is written on the screen, word by word."""

import re
from dataclasses import replace

import pytest
from babel.messages.pofile import read_po
from pygame import Surface

from device.diagnoses import CODES, Code
from device.inference.finding import NoCallReason
from device.inference.recommendation import Recommendation
from device.language import DOMAIN, LOCALE, Language
from device.models.manifest import Manifest
from device.screen.renderer import Renderer
from device.screen.view import PageView, Picture
from device.screen.wording import Wording
from tests.device.models.two_networks import shipped_bundle
from tests.device.screen.findings import make_finding
from tests.device.screen.states import LIVE, SKIN, STATES

SIZE = (1024, 600)


def said(manifest: Manifest, drawn: list[str], view: PageView) -> str:
    """Return all that a view says."""
    drawn.clear()
    Renderer(SIZE, manifest).draw(Surface(SIZE), view)
    return " ".join(drawn)


def test_nobody_is_undecided_between_one_diagnosis(manifest: Manifest, drawn: list[str]) -> None:
    finding = make_finding("mel", 0.55, abstention="uncertain", prediction_set=("mel",))
    words = said(manifest, drawn, replace(LIVE, finding=finding))
    assert "Melanoma is likeliest, but not likely enough." in words
    assert "Undecided" not in words
    two = replace(finding, prediction_set=("mel", "nv"))
    assert "Undecided between: Melanoma, Melanocytic naevus" in said(
        manifest, drawn, replace(LIVE, finding=two)
    )


def test_overlay_says_whether_anything_points_to_the_diagnosis(
    manifest: Manifest, drawn: list[str]
) -> None:
    for state, words, scale in (
        ("frozen-overlay", "Points to: Melanoma", True),
        ("overlay-empty", "Nothing here points to: Melanoma", False),
        ("overlay-sought", "Calculating: Melanoma", False),
    ):
        seen = said(manifest, drawn, STATES[state])
        assert words in seen
        assert ("much" in seen) == scale


def test_earlier_picture_of_another_day_says_which_and_how_long_ago(
    manifest: Manifest, drawn: list[str]
) -> None:
    today, other_day = (said(manifest, drawn, STATES[s]) for s in ("compare", "compare-days"))
    assert "Earlier 12:20:07 (2 of 5)" in " ".join(today.split())
    assert "Days ago" not in today
    assert "Earlier 2026-02-11 (2 of 5)" in " ".join(other_day.split())
    assert "Days ago: 21, at 09:05" in other_day


def test_what_another_model_said_is_not_laid_beside_what_this_one_says(
    manifest: Manifest, drawn: list[str]
) -> None:
    same, other = (said(manifest, drawn, STATES[s]) for s in ("compare", "compare-days"))
    assert "Not comparable: judged by paper-28 1.0.0" in other
    assert "Not comparable" not in same
    assert other.count(" – ") == len(CODES)
    assert same.count(" – ") == 0


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (800, 480), (1024, 600), (1920, 1080)])
@pytest.mark.parametrize("language", ["en", "es", "pt"])
def test_why_earlier_figures_are_missing_is_told_on_every_screen(
    manifest: Manifest, drawn: list[str], size: tuple[int, int], language: Language
) -> None:
    view = replace(STATES["compare-days"], language=language)
    Renderer(size, manifest).draw(Surface(size), view)
    assert any("paper-28 1.0.0" in words for words in drawn)


REASONS = {
    "not-dermoscopic": {
        "en": ("No call", "Not taken through a dermatoscope, it seems.",
               "Place the lens on the skin,"),
        "es": ("Sin conclusión", "No parece tomada con un dermatoscopio.",
               "Apoye la lente"),
        "pt": ("Sem conclusão", "Não parece feita com um dermatoscópio.",
               "Encoste a lente na pele"),
    },
    "unstable": {
        "en": ("No call", "Turned or mirrored, this picture would be called otherwise.",
               "Take another picture, or refer."),
        "es": ("Sin conclusión", "Girada o reflejada, esta imagen daría otro resultado.",
               "Tome otra imagen o derive."),
        "pt": ("Sem conclusão", "Girada ou espelhada, esta imagem daria outro resultado.",
               "Faça outra imagem ou encaminhe."),
    },
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "es", "pt"])
@pytest.mark.parametrize("reason", REASONS)
def test_no_call_says_why_and_what_to_do_in_every_language(
    manifest: Manifest, drawn: list[str], reason: str, language: str
) -> None:
    view = STATES[reason]
    finding = replace(view.finding, recommendation=None)
    seen = said(manifest, drawn, replace(view, finding=finding, language=language))
    for words in REASONS[reason][language]:
        assert words in seen
    for other in REASONS.keys() - {reason}:
        assert REASONS[other][language][1] not in seen


RECOMMENDED = {
    "refer": {"en": "Excise or refer", "es": "Extirpar o derivar", "pt": "Excisar ou encaminhar"},
    "not-excluded": {
        "en": "Follow up or refer", "es": "Controlar o derivar", "pt": "Acompanhar ou encaminhar",
    },
    "no-sign": {
        "en": "No sign of malignancy", "es": "Sin signos de malignidad",
        "pt": "Sem sinais de malignidade",
    },
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "es", "pt"])
@pytest.mark.parametrize("recommendation", RECOMMENDED)
def test_first_line_of_a_finding_is_what_it_asks_for(
    manifest: Manifest, drawn: list[str], recommendation: str, language: str
) -> None:
    finding = make_finding(recommendation=Recommendation(recommendation))
    live = replace(STATES["benign"], finding=finding, language=language)
    # On the page of the picture, and where two are compared.
    picture = Picture(None, SKIN, finding)
    for view in (live, replace(STATES["compare"], earlier=picture, present=picture)):
        seen = said(manifest, drawn, replace(view, language=language))
        for other, words in RECOMMENDED.items():
            assert (words[language] in seen) == (other == recommendation)
        assert "79 %" in seen


@pytest.mark.parametrize("state", ["low-quality", "unfamiliar"])
def test_no_warning_hides_that_malignancy_is_not_excluded(
    manifest: Manifest, drawn: list[str], state: str
) -> None:
    view = STATES[state]
    for recommendation in (None, Recommendation.NOT_EXCLUDED, Recommendation.REFER):
        finding = replace(view.finding, recommendation=recommendation)
        seen = said(manifest, drawn, replace(view, finding=finding))
        assert ("Malignancy is not excluded." in seen) == (recommendation is not None)


@pytest.mark.parametrize("reason", ["uncertain", "unstable"])
@pytest.mark.parametrize("recommendation", [None, *Recommendation])
def test_what_a_finding_asks_for_comes_first_where_no_diagnosis_is_called(
    manifest: Manifest, drawn: list[str], recommendation: Recommendation | None, reason: str
) -> None:
    finding = make_finding("mel", 0.5, abstention=reason, recommendation=recommendation)
    picture = Picture(None, SKIN, finding)
    for view in (
        replace(STATES["benign"], finding=finding),
        replace(STATES["compare"], earlier=None, present=picture),
    ):
        seen = said(manifest, drawn, view)
        for other, words in RECOMMENDED.items():
            assert (words["en"] in seen) == (other == recommendation)
            if other == recommendation:
                assert seen.index(words["en"]) < seen.index(f"No call: {reason}")


def test_held_picture_says_where_the_live_view_said_otherwise(
    manifest: Manifest, drawn: list[str]
) -> None:
    assert "The live estimate differed: Melanocytic naevus 78 %" in said(
        manifest, drawn, STATES["parted"]
    )
    held = STATES["frozen"].finding
    for change, words in (
        ({"recommendation": Recommendation.NOT_EXCLUDED}, "differed: Follow up or refer"),
        ({"recommendation": None}, "differed: Melanoma 62 %"),
        ({"abstention": NoCallReason.UNCERTAIN, "recommendation": None}, "differed: No call"),
    ):
        view = replace(STATES["frozen"], live_before=replace(held, **change))
        assert words in said(manifest, drawn, view)
    # What asked for more is not retold in harmless words.
    calm = replace(
        held, recommendation=Recommendation.NO_SIGN, prediction_set=(Code.NV,), malignancy=0.02
    )
    for reason in (None, NoCallReason.UNCERTAIN):
        view = replace(STATES["frozen"], finding=calm, live_before=replace(held, abstention=reason))
        assert "differed: Excise or refer" in said(manifest, drawn, view)
    for alike in (held, replace(held, abstention=NoCallReason.UNCERTAIN), None):
        assert "differed" not in said(manifest, drawn, replace(STATES["frozen"], live_before=alike))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("too-small", "Move closer: the lesion is too small"),
        ("several-lesions", "Several lesions: centre one of them"),
        ("larger-than-field", "Larger than the field: take several pictures"),
        ("not-dermoscopic", "Place the lens on the skin"),
    ],
)
def test_what_is_outside_its_scope_is_said_with_what_to_do(
    manifest: Manifest, drawn: list[str], state: str, words: str
) -> None:
    assert words in said(manifest, drawn, STATES[state])
    assert words not in said(manifest, drawn, STATES["frozen"])


def test_picture_that_no_dermatoscope_took_is_not_said_to_be_good(
    manifest: Manifest, drawn: list[str]
) -> None:
    for state in ("benign", "not-dermoscopic"):
        seen = said(manifest, drawn, STATES[state])
        assert ("The picture is good" in seen) == (state == "benign")


def test_only_what_must_not_be_missed_is_said_not_to_be_excluded(
    manifest: Manifest, drawn: list[str]
) -> None:
    naevus = make_finding(prediction_set=("nv", "bkl"), recommendation=Recommendation.NOT_EXCLUDED)
    assert "Not excluded: " not in said(manifest, drawn, replace(STATES["benign"], finding=naevus))
    naevus = replace(naevus, prediction_set=("nv", "mel", "bkl"))
    seen = said(manifest, drawn, replace(STATES["benign"], finding=naevus))
    assert "Not excluded: Melanoma " in seen


def test_live_view_of_two_networks_is_an_estimate(manifest: Manifest, drawn: list[str]) -> None:
    one = shipped_bundle("paper-28").manifest
    finding = replace(make_finding(), as_captured=False)
    for described, expected in ((one, False), (manifest, True)):
        seen = said(described, drawn, replace(STATES["benign"], finding=finding))
        assert ("Live estimate: capture for the finding." in seen) == expected
        seen = said(described, drawn, replace(STATES["benign"], finding=make_finding()))
        assert "Live estimate" not in seen


@pytest.mark.parametrize("state", ["not-dermoscopic", "unstable"])
def test_probabilities_are_shown_unless_the_model_cannot_know_the_picture(
    manifest: Manifest, drawn: list[str], state: str
) -> None:
    seen = said(manifest, drawn, STATES[state])
    assert drawn.count("–") == (len(CODES) if state == "not-dermoscopic" else 0)
    assert ("62 %" in seen) == (state == "unstable")


@pytest.mark.parametrize(
    ("reason", "language", "words"),
    [
        ("not-dermoscopic", "en", "No call: not dermoscopic"),
        ("not-dermoscopic", "es", "Sin conclusión: no es dermatoscopia"),
        ("not-dermoscopic", "pt", "Sem conclusão: não é dermatoscopia"),
        ("unstable", "en", "No call: unstable"),
        ("unstable", "es", "Sin conclusión: inestable"),
        ("unstable", "pt", "Sem conclusão: instável"),
    ],
)
def test_every_no_call_has_one_line(
    manifest: Manifest, reason: str, language: str, words: str
) -> None:
    wording = Wording(Language(language), manifest)
    assert wording.in_one_line(make_finding(abstention=NoCallReason(reason))) == words


def test_reasons_for_no_call_are_told_apart_in_one_line(manifest: Manifest) -> None:
    wording = Wording(Language.ENGLISH, manifest)
    lines = {wording.in_one_line(make_finding(abstention=reason)) for reason in NoCallReason}
    assert len(lines) == len(NoCallReason)


@pytest.mark.parametrize(
    ("practice", "language", "words"),
    [
        ("screening", "en", "Probabilities for: screening practice, 19 % of its lesions malignant"),
        ("referral", "en", "Probabilities for: skin cancer clinic, 50 % of its lesions malignant"),
        ("screening", "es", "Probabilidades para: consulta de tamizaje, 19 % de lesiones malignas"),
        ("referral", "es", "Probabilidades para: unidad de cáncer de piel, 50 % de lesiones"),
        (
            "screening",
            "pt",
            "Probabilidades para: consulta de rastreamento, 19 % de lesões malignas",
        ),
        ("referral", "pt", "Probabilidades para: ambulatório de câncer de pele, 50 % de lesões"),
    ],
)
def test_about_tells_for_which_practice_the_probabilities_are(
    mixed: Manifest, drawn: list[str], practice: str, language: str, words: str
) -> None:
    view = replace(STATES["about"], language=language)
    assert words in said(mixed.with_case_mix(practice), drawn, view)


def test_about_names_no_practice_where_the_bundle_does_not(
    unmixed: Manifest, drawn: list[str]
) -> None:
    assert "Probabilities for" not in said(unmixed, drawn, STATES["about"])


@pytest.mark.parametrize("language", ["en", "es", "pt"])
@pytest.mark.parametrize("abstention", [None, "uncertain"])
def test_diagnoses_are_named_and_never_coded_in_a_sentence(
    manifest: Manifest, drawn: list[str], abstention: str | None, language: str
) -> None:
    every = make_finding("bcc", 0.4, abstention=abstention, prediction_set=CODES)
    seen = said(manifest, drawn, replace(LIVE, finding=every, language=language))
    wording = Wording(Language(language), manifest)
    listed = CODES if abstention else ("akiec", "mel")
    assert any(wording.listed(listed, short=short) in seen for short in (False, True))
    # Beside each bar, and nowhere else.
    assert sorted(words for words in drawn if words in set(CODES)) == sorted(CODES)


def test_malignant_diagnoses_are_named_however_many_are_listed(manifest: Manifest) -> None:
    wording = Wording(Language.ENGLISH, manifest)
    malignant = "Actinic keratosis / Bowen / SCC, Basal cell carcinoma, Melanoma"
    assert wording.listed(CODES, short=True) == f"{malignant} and 4 benign"
    assert wording.listed(("nv", "mel"), short=True) == "Melanoma, Melanocytic naevus"
    benign = ("nv", "bkl", "df", "vasc")
    assert wording.listed(benign, short=True) == wording.listed(benign)


@pytest.mark.parametrize(
    ("language", "diameter"),
    [("en", "6.2 mm"), ("es", "6,2 mm"), ("pt", "6,2 mm")],
)
def test_numbers_have_the_decimal_sign_of_their_language(
    manifest: Manifest, drawn: list[str], language: str, diameter: str
) -> None:
    said(manifest, drawn, replace(STATES["frozen"], language=language))
    assert diameter in drawn
    about = said(manifest, drawn, replace(STATES["about"], language=language))
    accuracy = manifest.metrics["accuracy"]
    assert (f"{accuracy.value:.2f} (".replace(".", ",") in about) == (language != "en")
    scale = said(manifest, drawn, replace(STATES["settings-fault"], fault=None, language=language))
    assert ("21,4 µm" in scale) == (language != "en")


MISUNDERSTOOD = {
    "es": (
        "congel",
        "placa",
        "foco",
        "mapa",
        "médico",
        "vídeo",
        "cribado",
        "instrumento",
        "parado",
    ),
    "pt": ("congel", "placa", "foco", "mapa", "médico", "rastreio", "instrumento", "guardad"),
}
"""What a dermatologist takes for cryotherapy, a plaque, a bulb, a mole map, another's title, or
for another country's; and the instrument has one name."""


@pytest.mark.parametrize("language", MISUNDERSTOOD)
def test_words_are_those_of_the_clinic(language: str) -> None:
    catalogue = LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    with catalogue.open("rb") as file:
        said_here = " ".join(str(m.string) for m in read_po(file) if m.id).lower()
    assert [word for word in MISUNDERSTOOD[language] if word in said_here] == []


NOT_FOR = {
    "en": ("nails", "mucous", "ulcerated", "tattooed", "treated", "children", "dermatoscope"),
    "es": ("uñas", "mucosas", "ulcerada", "tatuada", "tratada", "niños", "dermatoscopio"),
    "pt": ("unhas", "mucosas", "ulcerada", "tatuada", "tratada", "crianças", "dermatoscópio"),
}


@pytest.mark.parametrize("language", NOT_FOR)
@pytest.mark.parametrize("state", ["limits", "about"])
def test_what_it_is_not_for_is_said(
    manifest: Manifest, drawn: list[str], state: str, language: str
) -> None:
    seen = said(manifest, drawn, replace(STATES[state], language=language)).lower()
    assert [words for words in NOT_FOR[language] if words not in seen] == []


NOT_THE_PROGRAMS = (
    "attribution, non-commercial use", "Lichen planus", "New lesion", "Unlike the", "Skin check",
)  # fmt: skip
"""A licence, and what clinicians and their other systems have written."""


@pytest.mark.parametrize("language", ["es", "pt"])
def test_no_sentence_on_any_page_stays_english(
    manifest: Manifest, drawn: list[str], language: str
) -> None:
    for view in STATES.values():
        said(manifest, drawn, view)
        sentences = {words for words in drawn if re.search("[a-z]{3,} [a-z]{2,}", words)}
        said(manifest, drawn, replace(view, language=language))
        kept = sentences.intersection(drawn)
        assert not [words for words in kept if not any(n in words for n in NOT_THE_PROGRAMS)]


def test_clinics_list_tells_names_only_where_they_are_allowed(
    manifest: Manifest, drawn: list[str]
) -> None:
    for names in (True, False):
        words = said(manifest, drawn, replace(STATES["scheduled"], names=names))
        assert "09:30   P-004712" in words
        assert "Skin check" in words
        assert ("Núñez, María" in words) == names


def test_clinics_list_tells_why_there_is_none_and_offers_to_try_again(
    manifest: Manifest, drawn: list[str]
) -> None:
    for state, told in (
        ("scheduled-fault", "Ris does not know the instrument, or refuses it"),
        ("scheduled-empty", "Nobody is scheduled for today."),
    ):
        words = said(manifest, drawn, STATES[state])
        assert told in words
        assert "Try again" in words
    words = said(manifest, drawn, STATES["scheduled-asking"])
    assert "Asking ris." in words
    # What may be another's a moment later is not shown.
    assert "P-0047" not in words
    words = said(manifest, drawn, STATES["scheduled"])
    assert "Today: 11, 2 of them seen here, as of" in words
    assert words.count("Seen") == 2
    assert "Try again" not in words


def test_clinics_list_of_one_patient_asks_which_of_them_it_is(
    manifest: Manifest, drawn: list[str]
) -> None:
    words = said(manifest, drawn, STATES["scheduled-of-patient"])
    assert "P-004711 has several appointments today. Which is it?" in words
    assert "P-004711 is no longer on" in said(manifest, drawn, STATES["scheduled-no-longer"])
    assert "none of 2 chosen" in said(manifest, drawn, STATES["patient-choices"])


def test_patient_whom_the_clinics_list_calls_otherwise_is_told_so(
    manifest: Manifest, drawn: list[str]
) -> None:
    same, other = (
        said(manifest, drawn, STATES[f"patient-{state}"]) for state in ("scheduled", "contradicted")
    )
    assert "09:30 Skin check" in same
    assert "Clinic's list" not in same
    assert "Clinic's list: born 1958, Other" in other


def test_deleting_tells_what_goes_and_that_it_does_not_come_back(
    manifest: Manifest, drawn: list[str]
) -> None:
    words = said(manifest, drawn, STATES["deletion"])
    for told in ("Delete P-004711?", "every lesion (4) and picture (17)", "cannot be undone"):
        assert told in words
    assert "share of the disk" in said(manifest, drawn, STATES["deletion-fault"])
