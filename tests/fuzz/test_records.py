from tests.fuzz.records import ATTACKS, attack


def test_a_hundred_damaged_records_are_read_or_refused_in_one_line_and_hide_no_other() -> None:
    outcomes = attack(13 * len(ATTACKS))
    assert all(o.tried == 13 for o in outcomes.values())
    # Were all refused, or all read, nothing would have been tried.
    assert all(o.used > 0 < o.refused for kind, o in outcomes.items() if "odd values" in kind)
