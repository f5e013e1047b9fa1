"""What is published of an image."""

import hashlib
from datetime import date

import msgspec
import pytest

from build_host.image.release import ImagerEntry, ImagerList, image_name, sha256_of


def test_a_checksum_is_that_of_the_whole_file(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "card").write_bytes(content)
    assert sha256_of(tmp_path / "card") == hashlib.sha256(content).hexdigest()


def test_files_are_named_by_version():
    assert image_name("1.2.3") == "dermascope-1.2.3-arm64"


@pytest.mark.parametrize(
    "key",
    ["name", "description", "icon", "url", "extract_size", "extract_sha256",
     "image_download_size", "release_date", "devices", "init_format"],
)  # fmt: skip
def test_the_imager_is_told_what_it_asks_for(key):
    entry = ImagerEntry(
        name="dermascope",
        description="an image",
        icon="https://example.org/icon.png",
        url="https://example.org/image.img.xz",
        extract_size=1,
        extract_sha256="00",
        image_download_size=1,
        image_download_sha256="00",
        release_date=date(2026, 1, 2).isoformat(),
    )
    listing = msgspec.json.decode(msgspec.json.encode(ImagerList([entry])))
    assert key in listing["os_list"][0]
