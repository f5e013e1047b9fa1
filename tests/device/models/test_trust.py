"""Keys come and go by signed lists alone."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.errors import BundleError
from device.models.trust import KeyList, Trust, followed, keep_key_list, sign_key_list, trust_of
from tests.device.bundles import new_key

OLD, OLD_PUBLIC = new_key()
NEW, NEW_PUBLIC = new_key()
TRUST = Trust((OLD_PUBLIC,))


def signed(key: Ed25519PrivateKey = OLD, serial: int = 1, **changes: object) -> bytes:
    return sign_key_list(KeyList(serial=serial, **changes), key)


def test_list_adds_a_key_and_a_later_one_revokes_the_old() -> None:
    both = followed(TRUST, signed(add=(NEW_PUBLIC,)))
    assert both == Trust((OLD_PUBLIC, NEW_PUBLIC), frozenset(), 1)
    one = followed(both, signed(NEW, 2, revoke=(OLD_PUBLIC,)))
    assert one == Trust((NEW_PUBLIC,), frozenset({OLD_PUBLIC}), 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (signed(NEW, add=(NEW_PUBLIC,)), "does not trust"),
        (signed(add=(NEW_PUBLIC,)).replace(b'serial\\":1', b'serial\\":2'), "was altered"),
        (signed(revoke=(OLD_PUBLIC,)), "would leave no key"),
        (signed(purpose="a bundle"), "cannot be understood"),
        (b"{}", "cannot be understood"),
        (b"", "cannot be understood"),
        (b"[" * 100_000, "cannot be understood"),
        (b"\xff", "cannot be understood"),
    ],
    ids=range(8),
)
def test_list_that_is_not_to_be_followed_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(BundleError, match=told):
        followed(TRUST, content)


def test_list_cannot_be_played_back() -> None:
    first = signed(add=(NEW_PUBLIC,))
    after = followed(followed(TRUST, first), signed(serial=5, revoke=(NEW_PUBLIC,)))
    with pytest.raises(BundleError, match="number 1, and number 5 is followed already"):
        followed(after, first)


def test_key_that_was_revoked_neither_signs_nor_comes_back() -> None:
    both = Trust((OLD_PUBLIC, NEW_PUBLIC))
    after = followed(both, signed(NEW, revoke=(OLD_PUBLIC,)))
    with pytest.raises(BundleError, match="revoked"):
        followed(after, signed(OLD, 2, add=(OLD_PUBLIC,)))
    again = followed(after, signed(NEW, 2, add=(OLD_PUBLIC,)))
    assert OLD_PUBLIC not in again.keys


def test_lists_are_followed_at_every_start_in_their_order(tmp_path: Path) -> None:
    trust = TRUST
    for content in (
        signed(serial=9, add=(NEW_PUBLIC,)), signed(NEW, 10, revoke=(OLD_PUBLIC,)),
    ):  # fmt: skip
        trust = followed(trust, content)
        keep_key_list(tmp_path, content, trust)
    assert trust_of((OLD_PUBLIC,), tmp_path) == trust == Trust(
        (NEW_PUBLIC,), frozenset({OLD_PUBLIC}), 10
    )  # fmt: skip


def test_damaged_list_is_passed_over_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = signed(add=(NEW_PUBLIC,))
    keep_key_list(tmp_path, content, followed(TRUST, content))
    (path,) = (tmp_path / "keys").iterdir()
    path.write_bytes(content[:-40])
    assert trust_of((OLD_PUBLIC,), tmp_path) == TRUST
    assert "a list of keys is passed over" in caplog.text


def test_without_lists_the_settings_hold(tmp_path: Path) -> None:
    assert trust_of((OLD_PUBLIC,), tmp_path / "none") == TRUST
