from tests.fuzz.servers import SERVERS, attack, replayed


def test_every_server_gives_pictures_or_one_line_in_time() -> None:
    met = attack(2 * len(SERVERS), at_once=8)
    assert all(outcome.tried == 2 for outcome in met.values())
    assert met["sends good pictures"].pictures == 2
    assert met["says too much of the length"].pictures == 2


def test_no_replay_asks_a_server() -> None:
    told = replayed()
    assert len(told) == 4
    assert all(told.values())
