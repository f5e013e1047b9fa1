import io

import pytest
from rich.console import Console
from rich.table import Table

from build_host.evaluation.assessment import Assessment, CoveragePoint, Separation
from build_host.evaluation.comparison import Peer
from build_host.evaluation.evaluation import Evaluation
from build_host.evaluation.saliency_faithfulness import Faithfulness
from build_host.evaluation.speed import Speed
from build_host.evaluation.tflite_file import FileSize
from build_host.reporting.console import assessment_tables, peers_table
from device.models.manifest import Interval

FAST = Speed("a reference", "a runtime", 0.07, 1.4, 20.3)


def figure(value: float) -> Interval:
    return Interval(value=value, low=value - 0.1, high=value + 0.1)


def faithful(method: str, value: float) -> Faithfulness:
    one = figure(value)
    return Faithfulness(method, 0, one, one, one, one, None, one)


def told(*tables: Table) -> list[str]:
    written = io.StringIO()
    console = Console(width=200, file=written)
    for table in tables:
        console.print(table)
    return written.getvalue().splitlines()


def test_maps_of_both_diagnoses_are_told_each_under_its_own(made_evaluation: Evaluation) -> None:
    assessment = Assessment(
        evaluations=[made_evaluation],
        surest=[CoveragePoint(0.5, 0.9, 0.8)],
        maps=[faithful("occlusion", 0.4)],
        unasked_maps=[faithful("occlusion", 0.7)],
        speed=FAST,
    )
    lines = told(*assessment_tables(assessment))
    called = next(i for i, line in enumerate(lines) if "of the most likely diagnosis" in line)
    unasked = next(i for i, line in enumerate(lines) if "of the likeliest malignant" in line)
    rows = [i for i, line in enumerate(lines) if "occlusion" in line]
    assert called < rows[0] < unasked < rows[1]
    assert "0.400 (0.300 to 0.500)" in lines[rows[0]]
    assert "0.700 (0.600 to 0.800)" in lines[rows[1]]


def test_each_peers_figures_stand_under_its_name() -> None:
    peers = [
        Peer(
            name=f"model {n}",
            model_sha256=str(n) * 64,
            input="28 x 28",
            size=FileSize(bytes=n * 2**20, gzip_bytes=n * 2**19),
            speed=FAST,
            figures={"accuracy": figure(n / 10), "macro_auc": figure(n / 10 + 0.05)},
        )
        for n in (2, 5)
    ]
    lines = told(peers_table(peers))

    def cells(label: str) -> list[str]:
        (line,) = [line for line in lines if label in line]
        return [part.strip() for part in line.replace("┃", "│").split("│")][2:-1]

    assert cells("model") == ["model 2", "model 5"]
    assert cells("gzip MiB") == ["1.000", "2.500"]
    assert cells("accuracy") == ["0.200 (0.100 to 0.300)", "0.500 (0.400 to 0.600)"]
    assert cells("macro AUC") == ["0.250 (0.150 to 0.350)", "0.550 (0.450 to 0.650)"]


@pytest.mark.parametrize(
    ("separation", "expected"),
    [
        (Separation({"HAM10000": 5}, ["MILK10k"]), ("HAM10000", "5", "compare with: MILK10k")),
        (Separation({}, []), ("any source", "0")),
    ],
)
def test_what_was_left_out_is_told(
    made_evaluation: Evaluation, separation: Separation, expected: tuple[str, ...]
) -> None:
    assessment = Assessment(evaluations=[made_evaluation], surest=[], separation=separation)
    printed = " ".join(" ".join(told(*assessment_tables(assessment))).split())
    assert "like images that trained or validated" in printed
    for text in expected:
        assert text in printed
