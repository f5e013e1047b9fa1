"""The layer for rpi-image-gen is made of the same recipe."""

import pytest

from build_host.image.program import PREFIX
from build_host.image.recipe import load_recipe
from build_host.image.rpi_image_gen import CONFIG, FILES, LAYER, layer_files, write_layer


@pytest.fixture
def written(tmp_path):
    program = tmp_path / "root"
    (program / PREFIX / "bin").mkdir(parents=True)
    (program / PREFIX / "bin/dermascope").write_text("#!/bin/sh\n")
    folder = tmp_path / "source"
    write_layer(load_recipe(), program, folder)
    return folder


def test_the_layer_has_the_packages_of_the_program_and_not_another_kernel():
    layer = layer_files(load_recipe())[LAYER]
    assert "    - python3-libcamera\n" in layer
    assert "linux-image" not in layer
    assert "raspi-firmware" not in layer


def test_the_layer_starts_the_program_and_not_what_needs_our_partitions():
    layer = layer_files(load_recipe())[LAYER]
    assert "enable dermascope.service" in layer
    assert "enable dermascope-provision.service" in layer
    assert "dermascope-data" not in layer
    assert "dermascope-confirm" not in layer


def test_the_layer_is_built_with_two_systems():
    config = layer_files(load_recipe())[CONFIG]
    assert "file: trixie-minbase-ab.yaml" in config


def test_examinations_outlive_an_update(written):
    shared = written / FILES / "etc/rpi-image-gen/slot-shared.d/dermascope.conf"
    assert "Path=/var/lib/dermascope" in shared.read_text().splitlines()


def test_the_program_and_its_units_lie_in_the_layer(written):
    files = written / FILES
    assert (files / PREFIX / "bin/dermascope").is_file()
    assert (files / "usr/lib/systemd/system/dermascope.service").is_file()
    assert not (files / "usr/lib/dermascope/data").exists()


def test_the_layer_mounts_sticks_and_leaves_updates_to_rpi_image_gen(written):
    files = written / FILES
    assert (files / "usr/lib/dermascope/stick").is_file()
    assert (files / "usr/lib/udev/rules.d/90-dermascope.rules").is_file()
    assert [*files.rglob("*update*"), *files.rglob("dermascope-offer*")] == []
