from pathlib import Path

from tests.device.imaging.large import LARGE, SPARSE
from tests.device.records.kill import OPERATIONS
from tests.fuzz.disks import MOMENTS, STATES
from tests.fuzz.files import attack, whole_files
from tests.fuzz.odd_values import WAYS
from tests.fuzz.outcomes import table
from tests.fuzz.records import ATTACKS as RECORDS
from tests.fuzz.servers import SERVERS
from tests.fuzz.settings import TEXT

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
    states = (f"{state}, {when}" for state in STATES for when in MOMENTS)
    for kind in (
        *LARGE, *(f"{kind}, sparse" for kind in SPARSE), *whole_files(), *WAYS, TEXT, *RECORDS,
        *SERVERS, *OPERATIONS.values(), *states,
    ):  # fmt: skip
        assert f"| {kind} | " in page
