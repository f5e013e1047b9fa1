import threading

from hypothesis import given
from hypothesis import strategies as st

from device.platform.clock import Clock
from device.runtime.inbox import Inbox


def inbox() -> Inbox[int, str]:
    return Inbox(Clock())


def test_commands_come_first_in_their_order_and_the_newest_item_after_them() -> None:
    box = inbox()
    box.offer("old")
    box.send(1)
    box.offer("new")
    box.send(2)
    assert [box.take(0.0) for _ in range(4)] == [1, 2, "new", None]


@given(st.lists(st.one_of(st.integers(), st.text())))
def test_every_command_is_taken_once_and_of_the_items_the_last(given: list[int | str]) -> None:
    box = inbox()
    for thing in given:
        if isinstance(thing, int):
            box.send(thing)
        else:
            box.offer(thing)
    taken = []
    while (thing := box.take(0.0)) is not None:
        taken.append(thing)
    items = [thing for thing in given if isinstance(thing, str)]
    assert taken == [thing for thing in given if isinstance(thing, int)] + items[-1:]


def test_waiting_ends_with_a_command_from_another_thread() -> None:
    box = inbox()
    thread = threading.Timer(0.01, lambda: box.send(7))
    thread.start()
    assert box.take(60.0) == 7
    thread.join()


def test_command_that_waits_is_told_of_and_an_item_is_not() -> None:
    box = inbox()
    box.offer("item")
    assert not box.commands_waiting()
    box.send(1)
    assert box.commands_waiting()
    box.take(0.0)
    assert not box.commands_waiting()


def test_waiting_alone_takes_nothing() -> None:
    box = inbox()
    box.wait(0.0)
    box.send(1)
    box.wait(60.0)
    assert box.take(0.0) == 1
