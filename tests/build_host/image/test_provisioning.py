"""Settings of cards, checked before an image is built."""

import stat

import pytest

from build_host.image.provisioning import checked_settings, write_settings
from build_host.image.recipe import FOLDER
from device.errors import ConfigError
from device.provisioning.file import FILE_NAME, read_provision


def test_the_settings_that_an_image_has_by_default_are_right():
    assert checked_settings(FOLDER / FILE_NAME)


def test_a_typo_is_told_with_its_line_before_anything_is_built(tmp_path):
    path = tmp_path / FILE_NAME
    path.write_text('language = "en"\nsorce = "usb"\n')
    with pytest.raises(ConfigError, match=r"line 2.*sorce"):
        checked_settings(path)


def test_a_table_gives_each_device_a_file_of_its_own(tmp_path):
    table = tmp_path / "devices.csv"
    table.write_text(
        "machine.name,language,machine.wifi.ssid,machine.wifi.password,machine.wifi.country\n"
        "valley-01,es,Valley,correct horse,PE\nvalley-02,pt,Valley,correct horse,PE\n"
    )
    files = write_settings(table, None, tmp_path / "cards")
    assert [path.parent.name for path in files] == ["valley-01", "valley-02"]
    assert read_provision(files[1]).language == "pt"
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
