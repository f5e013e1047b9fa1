from tests.fuzz.settings import attack


def test_five_hundred_odd_settings_files_are_used_or_refused_in_one_line() -> None:
    outcomes = attack(500)
    assert all(o.refused > 0 for o in outcomes.values())
    # Of several odd values at once hardly ever is none refused.
    assert all(o.used > 0 for way, o in outcomes.items() if way != "several")
