"""What goes onto a card's partitions."""

import os

from build_host.image.debian import SUITE_EPOCH
from build_host.image.disk import settle_times

EPOCH = 1_800_000_000


def test_two_roots_that_were_made_at_different_hours_have_the_same_times(tmp_path):
    for name, made in (("morning", EPOCH - 50_000), ("evening", EPOCH - 10_000)):
        root = tmp_path / name
        (root / "etc").mkdir(parents=True)
        (root / "etc/hostname").write_text("dermascope")
        (root / "etc/packed").write_text("as Debian packed it")
        (root / "etc/link").symlink_to("hostname")
        os.utime(root / "etc/packed", (SUITE_EPOCH - 9, SUITE_EPOCH - 9))
        for path in (root / "etc/hostname", root / "etc/link", root / "etc", root):
            os.utime(path, (made, made), follow_symlinks=False)
        settle_times(root, EPOCH)
        times = {
            str(path.relative_to(root)): path.lstat().st_mtime for path in (root, *root.rglob("*"))
        }
        assert times == {
            ".": EPOCH,
            "etc": EPOCH,
            "etc/hostname": EPOCH,
            "etc/link": EPOCH,
            "etc/packed": SUITE_EPOCH - 9,
        }
