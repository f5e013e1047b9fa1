"""Which of a card's two systems starts, as RAUC asks for it and changes it."""

import pytest

from build_host.image.layout import AUTOBOOT_BYTES
from tests.build_host.image.two_systems import CardWithTwoSystems


@pytest.fixture
def card(tmp_path) -> CardWithTwoSystems:
    return CardWithTwoSystems(tmp_path)


def test_a_new_card_starts_a(card):
    assert card.slot("get-current") == "A"
    assert card.slot("get-primary") == "A"
    assert card.starts == b"23"
    assert [card.slot("get-state", name) for name in "AB"] == ["good", "bad"]


def test_a_system_that_was_installed_is_tried_and_does_not_start_by_itself(card):
    card.slot("set-primary", "B")
    assert card.slot("get-primary") == "B"
    assert card.starts == b"23"
    assert "rauc.slot=B" in card.command_line


def test_a_system_that_was_marked_good_while_it_ran_starts_from_then_on(card):
    card.slot("set-primary", "B")
    card.start("B")
    card.slot("set-state", "B", "good")
    assert card.slot("get-primary") == "B"
    assert card.starts == b"32"


def test_a_system_that_does_not_run_cannot_be_made_the_one_that_starts(card):
    card.slot("set-primary", "B")
    card.slot("set-state", "B", "good")
    assert card.starts == b"23"


def test_a_system_that_is_about_to_be_written_over_is_not_tried(card):
    card.slot("set-primary", "B")
    card.slot("set-state", "B", "bad")
    assert card.slot("get-primary") == "A"


def test_there_and_back(card):
    for slot, other in ("BA", "AB", "BA"):
        card.slot("set-primary", slot)
        card.start(slot)
        card.slot("set-state", slot, "good")
        assert card.slot("get-state", other) == "bad"
    assert card.starts == b"32"


def test_the_choice_always_fills_one_sector(card):
    for words in (("set-primary", "B"), ("set-state", "B", "bad"), ("set-primary", "A")):
        card.slot(*words)
        assert card.choice.stat().st_size == AUTOBOOT_BYTES
