"""What is added to Debian's initramfs."""

import shutil
import subprocess

import pytest

from build_host.image.initramfs import ADDED, archive, with_ours


@pytest.mark.skipif(shutil.which("cpio") is None, reason="not installed: cpio")
def test_the_archive_is_what_cpio_reads(tmp_path):
    subprocess.run(
        ["cpio", "--extract", "--make-directories", "--quiet", "--no-preserve-owner"],
        input=archive(ADDED, 0),
        cwd=tmp_path,
        check=True,
    )
    script = tmp_path / "scripts/init-bottom/dermascope"
    assert script.read_bytes() == (ADDED / "scripts/init-bottom/dermascope").read_bytes()
    assert script.stat().st_mode & 0o111


def test_two_archives_of_the_same_files_are_alike():
    assert archive(ADDED, 7) == archive(ADDED, 7)


def test_it_begins_where_the_kernel_looks_for_it():
    whole = with_ours(b"abcde", 0)
    assert whole[:5] == b"abcde"
    assert whole[8:14] == b"070701"


def test_every_script_is_named_in_the_order_that_they_run_in():
    folder = ADDED / "scripts/init-bottom"
    order = (folder / "ORDER").read_text()
    ours = [path.name for path in folder.iterdir() if path.name != "ORDER"]
    assert ours
    assert all(f"/scripts/init-bottom/{name} " in order for name in ours)
