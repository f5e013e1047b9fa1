"""Updates of the system."""

import re
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from build_host.image.commands import ToolError
from build_host.image.recipe import load_recipe
from build_host.image.system import update_config
from build_host.image.update import update_manifest
from build_host.image.update_key import certificate_of, ensure_update_key


def test_an_update_is_for_the_kind_of_machine_that_the_image_is():
    recipe = load_recipe()
    line = f"compatible={recipe.compatible}"
    assert line in update_config(recipe).splitlines()
    assert line in update_manifest(recipe.compatible, "1.0").splitlines()


def test_every_part_of_an_update_has_its_place_in_both_systems():
    parts = re.findall(r"\[image\.(\w+)\]", update_manifest("pi", "1.0"))
    places = re.findall(r"\[slot\.(\w+)\.\d\]", update_config(load_recipe()))
    assert sorted(places) == sorted(2 * parts)


def test_the_private_key_is_its_owners_alone(tmp_path):
    key = tmp_path / "update.key"
    assert ensure_update_key(key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_key_is_never_replaced(tmp_path):
    key = tmp_path / "update.key"
    ensure_update_key(key)
    before = key.read_bytes()
    assert not ensure_update_key(key)
    assert key.read_bytes() == before


@pytest.mark.parametrize("missing", ["update.key", "update.crt"])
def test_half_a_pair_is_neither_replaced_nor_used(tmp_path, missing):
    key = tmp_path / "update.key"
    ensure_update_key(key)
    (tmp_path / missing).unlink()
    (left,) = tmp_path.iterdir()
    before = left.read_bytes()
    with pytest.raises(ToolError, match=f"{missing}: missing, and .*{left.name} is there"):
        ensure_update_key(key)
    assert left.read_bytes() == before
    assert list(tmp_path.iterdir()) == [left]


def test_the_certificate_is_the_keys(tmp_path):
    key = tmp_path / "update.key"
    ensure_update_key(key)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(certificate_of(key).read_bytes())
    assert certificate.public_key() == private.public_key()
