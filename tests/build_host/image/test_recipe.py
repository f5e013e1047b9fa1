"""What an image is made of."""

import shutil

import pytest

from build_host.image.program import TREE
from build_host.image.recipe import INITRAMFS, OVERLAY, Recipe, load_recipe, root_key
from build_host.image.system import UNITS

UNWANTED = ("apt", "binutils", "build-essential", "cpp", "gcc", "make", "python3-pip", "sudo")


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe()


def test_no_package_is_listed_twice(recipe):
    assert len(set(recipe.packages)) == len(recipe.packages)


def test_neither_a_compiler_nor_an_installer_is_listed(recipe):
    assert not set(recipe.packages) & set(UNWANTED)


def test_every_unit_of_ours_that_is_enabled_is_there(recipe):
    ours = {path.name for path in (OVERLAY / UNITS).glob("dermascope*")}
    ours |= {path.name for path in (TREE / "systemd").glob("*.service")}
    named = {unit for unit in recipe.units.enabled if unit.startswith("dermascope")}
    assert named <= ours


def test_ssh_is_off(recipe):
    assert "ssh.service" in recipe.units.disabled
    assert "ssh.socket" in recipe.units.masked


def test_another_package_makes_another_root(recipe):
    more = (*recipe.packages, "nano")
    other = Recipe(
        **{**{f: getattr(recipe, f) for f in recipe.__struct_fields__}, "packages": more}
    )
    assert root_key(other) != root_key(recipe)


def test_the_root_does_not_depend_on_the_order_of_packages(recipe):
    values = {field: getattr(recipe, field) for field in recipe.__struct_fields__}
    other = Recipe(**{**values, "packages": recipe.packages[::-1]})
    assert root_key(other) == root_key(recipe)


def test_the_root_depends_on_what_its_initramfs_is_made_of_alone(recipe, tmp_path):
    overlay = tmp_path / "overlay"
    shutil.copytree(OVERLAY, overlay, symlinks=True)
    (overlay / "etc/motd").write_text("another file")
    assert root_key(recipe, overlay) == root_key(recipe)
    (overlay / INITRAMFS / "modules").write_text("another module\n")
    assert root_key(recipe, overlay) != root_key(recipe)
