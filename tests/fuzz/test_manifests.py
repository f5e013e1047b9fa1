from tests.fuzz.manifests import attack
from tests.fuzz.odd_values import WAYS


def test_a_hundred_odd_manifests_are_used_or_refused_in_one_line() -> None:
    outcomes = attack(104)
    assert set(outcomes) == set(WAYS)
    # Were all refused, or all used, nothing would have been tried.
    assert sum(o.used for o in outcomes.values()) > 10
    assert all(o.refused > 0 for o in outcomes.values())
