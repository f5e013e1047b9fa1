from tests.fuzz.settings import attack


def test_five_hundred_odd_settings_files_are_used_or_refused_in_one_line() -> None:
    outcomes = attack(500)
    # Were all refused, or all used, nothing would have been tried.
    assert all(o.used > 0 and o.refused > 0 for o in outcomes.values())
