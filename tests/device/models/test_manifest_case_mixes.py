from typing import Any

import msgspec
import pytest

from device.models.bundle import parse_manifest
from tests.device.models.case_mixes import SHARES, with_case_mixes, without_case_mixes
from tests.device.models.manifests import FOLDER, read, refusal

READ_BY_MIX = ("calibration", "operating_points", "conformal", "abstention")


@pytest.fixture(params=["one", "two"])
def mixed(request: pytest.FixtureRequest, plain: dict[str, Any], both: dict[str, Any]) -> Any:
    """A manifest of one network or of two, calibrated for two practices."""
    return with_case_mixes(plain if request.param == "one" else both)


def test_case_mix_decides_how_every_network_is_read_and_nothing_else(mixed: Any) -> None:
    manifest = read(mixed)
    assert manifest.case_mixes == tuple(SHARES)
    assert manifest.case_mix == "screening"
    referral = manifest.with_case_mix("referral")
    assert referral.case_mix == "referral"
    assert len(referral.networks) == len(manifest.networks) == len(read(mixed).networks)
    for before, after in zip(manifest.networks, referral.networks, strict=True):
        wanted = after.case_mixes[1]
        assert wanted.shares == SHARES["referral"]
        for part in READ_BY_MIX:
            assert getattr(after, part) == getattr(wanted, part)
            assert getattr(after, part) != getattr(before, part)
        kept = msgspec.structs.replace(after, **{p: getattr(before, p) for p in READ_BY_MIX})
        assert kept == before
    assert referral.with_case_mix("screening") == manifest
    for written in (manifest, referral):
        assert parse_manifest(FOLDER, msgspec.json.encode(written)) == written


@pytest.mark.parametrize("name", ["hospital", "", "Screening"])
def test_case_mix_that_is_not_known_is_refused_with_those_that_are(mixed: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"case mix {name!r}, only for screening, referral$"):
        read(mixed).with_case_mix(name)


def test_case_mix_of_a_bundle_that_has_none_is_refused(plain: dict[str, Any]) -> None:
    manifest = read(without_case_mixes(plain))
    assert (manifest.case_mix, manifest.case_mixes) == ("", ())
    with pytest.raises(ValueError, match=r"case mix 'screening', only for none by name$"):
        manifest.with_case_mix("screening")


def test_networks_that_are_calibrated_for_other_practices_are_refused(both: dict[str, Any]) -> None:
    manifest = with_case_mixes(both)
    read(manifest)
    mixes = manifest["captured"]["case_mixes"]
    for other in ([], mixes[:1], mixes[::-1], [mixes[0], mixes[1] | {"name": "hospital"}]):
        changed = manifest | {"captured": manifest["captured"] | {"case_mixes": other}}
        assert "not calibrated for the same case mixes" in refusal(changed)


def test_shares_of_a_case_mix_sum_to_one(mixed: Any) -> None:
    mix = mixed["live"]["case_mixes"][1]
    shares = mix["shares"]
    for index, by in ((5, 1e-8), (0, -1e-8)):
        mix["shares"] = [s + by * (i == index) for i, s in enumerate(shares)]
        read(mixed)
    for wrong in (
        [s + 0.01 * (i == 5) for i, s in enumerate(shares)],
        [s - 0.01 * (i == 5) for i, s in enumerate(shares)],
        [0.0] * 7,
    ):
        mix["shares"] = wrong
        message = refusal(mixed)
        assert "the shares of the case mix referral do not sum to 1" in message
        assert "$.live.case_mixes" in message


def test_case_mix_in_force_is_one_of_the_bundles(mixed: Any) -> None:
    for wrong in ({"case_mix": "hospital"}, {"case_mix": ""}):
        assert "is not one of ('screening', 'referral')" in refusal(mixed | wrong)
    del mixed["case_mix"]
    assert "the case mix '' is not one of" in refusal(mixed)


def test_case_mix_that_is_named_twice_is_refused(mixed: Any) -> None:
    for network in (mixed["live"], mixed["captured"]):
        if network:
            network["case_mixes"] = [*network["case_mixes"], network["case_mixes"][0]]
    assert "a case mix is named twice" in refusal(mixed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "Skin cancer clinic"),
        ("shares", [0.5, 0.5]),
        ("shares", [-0.1, 0.45, 0.14, 0.01, 0.15, 0.33, 0.02]),
        ("calibration", {"temperature": 0.0, "bias": [0.0] * 7, "fitted_on": ""}),
        ("conformal", {"coverage": 2.0, "thresholds": [0.0] * 7, "fitted_on": ""}),
        ("operating_points", None),
    ],
)
def test_impossible_value_of_a_case_mix_is_refused(mixed: Any, key: str, value: object) -> None:
    mix = mixed["live"]["case_mixes"][1]
    mix["surprise"] = "of a later program"
    read(mixed)
    mix[key] = value
    assert f"$.live.case_mixes[1].{key}" in refusal(mixed)


def test_thresholds_the_wrong_way_round_are_refused(mixed: Any) -> None:
    for network in filter(None, (mixed["live"], mixed["captured"])):
        for read_by in (network, network["case_mixes"][1]):
            point = read_by["operating_points"][0]
            strict = point | {"name": "strict", "threshold": 0.7, "sensitivity": 0.5}
            lax = point | {"name": "lax", "threshold": 0.2, "sensitivity": 0.9}
            sound = read_by["operating_points"]
            read_by["operating_points"] = [strict, lax]
            if read_by is not network:
                read(mixed)
            for names, wrong in (
                ("strict and lax", [strict | {"threshold": 0.1}, lax]),
                ("lax and strict", [strict | {"specificity": 0.1}, lax | {"specificity": 0.2}]),
            ):
                read_by["operating_points"] = wrong
                assert f"the thresholds of {names} are the wrong way round" in refusal(mixed)
            read_by["operating_points"] = [strict, strict | {"threshold": 0.8}]
            assert "two operating points have one name" in refusal(mixed)
            read_by["operating_points"] = sound


def test_reading_in_force_is_that_of_its_case_mix(mixed: Any) -> None:
    for network in filter(None, (mixed["live"], mixed["captured"])):
        sound = network["calibration"]
        network["calibration"] = sound | {"temperature": 2.5}
        told = f"how {network['file']} is read is not as its case mix screening has it"
        assert told in refusal(mixed)
        network["calibration"] = sound
    read(mixed)
