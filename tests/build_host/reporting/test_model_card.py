import msgspec
import pytest

from build_host.evaluation.assessment import Assessment, CoveragePoint, Separation
from build_host.evaluation.evaluation import Evaluation
from build_host.evaluation.metrics import METRICS
from build_host.evaluation.out_of_distribution import DetectionFigures
from build_host.evaluation.saliency_faithfulness import Faithfulness
from build_host.evaluation.sources import SourceEvaluation
from build_host.evaluation.speed import Speed
from build_host.reporting.model_card import render_card
from build_host.reporting.templating import words
from device.diagnoses import CODES
from device.models.manifest import Interval, Manifest


@pytest.fixture
def card(made_manifest: Manifest, made_evaluation: Evaluation) -> str:
    return render_card(
        made_manifest,
        Assessment(evaluations=[made_evaluation], surest=[CoveragePoint(0.5, 0.912, 0.823)]),
    )


def table_after(card: str, start: str) -> list[list[str]]:
    """Return the cells of the first table below a line that starts so, its rule left out."""
    lines = card[card.index(start) :].splitlines()[1:]
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    cells = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        cells.append([c.strip() for c in line.strip("|").split("|")])
    return [cells[0], *cells[2:]]


def test_it_says_what_the_model_is_and_how_large(card: str) -> None:
    assert card.startswith("# by-hand 1.2.3\n")
    assert "28 x 28" in card
    assert "full-frame" in card
    assert f"{1_300_000 / 2**20:.3f} MiB" in card
    assert f"{1_100_000 / 2**20:.3f} MiB after gzip -9" in card


def test_it_has_the_sections_of_a_model_card(card: str) -> None:
    headings = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert headings == [
        "Intended use",
        "What was measured",
        "Knowing what it does not know",
        "Subgroups",
        "Data and licence",
        "Limits",
        "Provenance",
    ]


def test_every_figure_stands_with_its_interval(card: str) -> None:
    table = table_after(card, "## What was measured")
    expected = [
        [
            words(name),
            f"{0.5 + n / 1000:.3f}",
            f"{0.3 + n / 1000:.3f} to {0.7 + n / 1000:.3f}",
        ]
        for n, name in enumerate(METRICS)
    ]
    assert table[1:] == expected
    assert "1981 images of 1470 lesions. Lesion-disjoint: said here." in card


def test_every_diagnosis_has_its_row(card: str) -> None:
    table = table_after(card, "By diagnosis:")
    assert table[0] == ["", "images", "precision", "recall", "F1", "AUC"]
    for n, (code, row) in enumerate(zip(CODES, table[1:], strict=True)):
        values = (0.1, 0.2, 0.3, 0.4)
        assert row == [code, str(1000 + n)] + [
            f"{v + n / 100:.3f} ({v - 0.05:.3f} to {v + 0.25:.3f})" for v in values
        ]


def test_the_confusion_is_repeated_row_by_row(card: str, made_evaluation: Evaluation) -> None:
    table = table_after(card, "Rows are the true diagnosis")
    assert table[0] == ["", *CODES]
    for code, row, counts in zip(CODES, table[1:], made_evaluation.confusion, strict=True):
        assert row == [f"**{code}**", *map(str, counts)]


def test_abstention_and_prediction_sets_are_told(card: str) -> None:
    text = " ".join(card.split())
    assert "made on 65.4% of the images; on those the accuracy is 0.876 (balanced 0.765)" in text
    assert "aims at 85% coverage" in text
    assert "the true one in 93.2% of the images, with 2.57 diagnoses on average" in text


def test_thresholds_are_told_with_what_they_gave(card: str) -> None:
    table = table_after(card, "Thresholds, chosen on the validation fold:")
    assert table[1:] == [["melanoma-0.90", "mel", "0.1234", "0.911", "0.722"]]


def test_subgroups_are_told_and_what_was_not_measured_is_a_dash(card: str) -> None:
    table = table_after(card, "## Subgroups")
    assert table[1:] == [
        ["sex", "female", "901", "0.810 (0.790 to 0.830)", "-"],
        ["dx type", "histo", "902", "0.610 (0.590 to 0.630)", "0.710 (0.690 to 0.730)"],
    ]


def test_it_says_where_the_model_comes_from_and_on_what_terms(card: str) -> None:
    for part in (
        "HAM10000 (CC BY-NC 4.0)",
        "non-commercial",
        "Seed 4711",
        "code abc1234",
        "`2222222222222222`",
        "`1111111111111111`",
        "2026-01-02",
        "tensorflow 9.8.7",
    ):
        assert part in card


def test_it_names_its_limits(card: str) -> None:
    text = " ".join(card.split())
    assert "The diagnosis is the clinician's" in text
    assert "dark skin is not known" in text
    assert "squamous cell carcinoma" in text


def test_what_was_measured_beside_it_stands_in_one_table(
    made_manifest: Manifest, made_evaluation: Evaluation
) -> None:
    other = msgspec.structs.replace(
        made_evaluation,
        protocol="Elsewhere",
        images=77,
        figures={"accuracy": Interval(value=0.986, low=0.98, high=0.99)},
    )
    card = render_card(made_manifest, Assessment(evaluations=[made_evaluation, other], surest=[]))
    table = table_after(card, "## Beside it")
    assert table[0] == ["figure", "Elsewhere"]
    assert ["accuracy", "0.986 (0.980 to 0.990)"] in table
    assert "Elsewhere: 77 images." in card
    # The first protocol stays the headline.
    assert table_after(card, "## What was measured")[1][1] == "0.500"


def test_things_that_are_no_lesions_maps_and_speed_are_told(
    made_manifest: Manifest, made_evaluation: Evaluation
) -> None:
    one = Interval(value=0.4, low=0.3, high=0.5)
    card = render_card(
        made_manifest,
        Assessment(
            evaluations=[made_evaluation],
            surest=[CoveragePoint(0.5, 0.912, 0.823)],
            unfamiliar=[
                DetectionFigures("lesions", 9, 0.5, 0.01, 0.02),
                DetectionFigures("ruler", 40, 0.987, 0.9, 1.0),
            ],
            maps=[Faithfulness("occlusion", 145, one, one, one, one, None, one)],
            unasked_maps=[Faithfulness("RISE", 400, one, one, one, one, None, one)],
            speed=Speed("a reference", "a runtime", 0.07, 1.4, 20.3),
        ),
    )
    assert "| 50% | 0.912 | 0.823 |" in card
    assert "| ruler | 40 | 0.987 | 90% | 100% |" in card
    called, unasked = card.split("likeliest malignant one:")
    assert "| occlusion | 145 | 0.400 (0.300 to 0.500) |" in called
    assert "| RISE | 400 | 0.400 (0.300 to 0.500) |" in unasked
    assert "20.3 times as long" in card


def test_the_card_is_well_formed_markdown(card: str) -> None:
    assert card.endswith("\n")
    assert not card.endswith("\n\n")
    for line in card.splitlines():
        assert line == line.rstrip()
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)


def test_it_says_how_the_images_were_kept_apart(
    made_manifest: Manifest, made_evaluation: Evaluation
) -> None:
    def said(separation: Separation | None, *sources: SourceEvaluation) -> str:
        assessment = Assessment(
            evaluations=[made_evaluation], surest=[], separation=separation, sources=list(sources)
        )
        return render_card(made_manifest, assessment)

    claim = "looks like one that the model was trained or calibrated on"
    # What was not compared is not claimed.
    assert claim not in said(None)
    whole = said(Separation({}, []))
    assert f"said here. No image {claim}. 95 % bootstrap" in whole
    some = said(Separation({"HAM10000": 5, "ISIC 2017": 17}, ["MILK10k"]))
    assert (
        f"No image {claim} (not compared with MILK10k: not at hand); left out for that were 5 of "
        "HAM10000, 17 of ISIC 2017. 95 % bootstrap" in some
    )
    figures = {"malignant_auc": Interval(value=0.8, low=0.7, high=0.9)}
    row = SourceEvaluation(
        source="HAM10000", network="live", images=9, lesions=9, figures=figures, coverage=0.9,
        mean_set_size=2.0, coverage_by_diagnosis={}, by_skin_tone={}, warnings=[],
    )  # fmt: skip
    with_sources = said(Separation({"HAM10000": 5}, []), row)
    assert with_sources.count(claim) == 1
    assert (
        f"no lesion of which was trained on. No image {claim}; left out for that were 5 of "
        "HAM10000." in with_sources
    )
    assert "which was trained on.\n" in said(None, row)
