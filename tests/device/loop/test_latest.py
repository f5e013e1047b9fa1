import threading

from device.loop.latest import Latest
from tests.device.clinic import GIVE_UP_SECONDS


def test_it_gives_only_what_was_not_seen() -> None:
    latest: Latest[str] = Latest()
    assert latest.peek() is None
    assert latest.next(0, 0.0) == (0, None)
    latest.put("a")
    assert latest.peek() == "a"
    seen, value = latest.next(0, 0.0)
    assert value == "a"
    assert latest.next(seen, 0.0) == (seen, None)
    latest.put("b")
    latest.put("c")
    newer, value = latest.next(seen, 0.0)
    assert (value, newer > seen) == ("c", True)
    assert latest.next(newer, 0.0) == (newer, None)
    assert latest.peek() == "c"


def test_the_same_value_put_again_is_news() -> None:
    latest: Latest[str] = Latest()
    latest.put("a")
    seen, _ = latest.next(0, 0.0)
    latest.put("a")
    assert latest.next(seen, 0.0) == (seen + 1, "a")


def test_it_wakes_everyone_who_waits() -> None:
    latest: Latest[int] = Latest()
    got: list[int | None] = []
    readers = [
        threading.Thread(target=lambda: got.append(latest.next(0, GIVE_UP_SECONDS)[1]))
        for _ in range(3)
    ]
    for reader in readers:
        reader.start()
    latest.put(7)
    for reader in readers:
        reader.join(GIVE_UP_SECONDS)
    assert got == [7, 7, 7]
