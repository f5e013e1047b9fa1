from pathlib import Path

from tests.device.imaging.large import LARGE, SPARSE
from tests.fuzz.files import attack, whole_files
from tests.fuzz.outcomes import table

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"


def test_a_thousand_damaged_files_give_a_picture_or_one_line() -> None:
    outcomes = attack(1000)
    assert sum(o.tried for o in outcomes.values()) == 1000
    # Were all refused, or all read, nothing would have been tried.
    assert all(o.used > 0 and o.refused > 0 for o in outcomes.values())
    told = table(outcomes, "kind", "files", "read")
    assert all(f"| {kind} | {o.tried} |" in told for kind, o in outcomes.items())


def test_the_page_tells_of_all_that_is_tried() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for kind in (*LARGE, *(f"{kind}, sparse" for kind in SPARSE), *whole_files()):
        assert f"| {kind} | " in page
