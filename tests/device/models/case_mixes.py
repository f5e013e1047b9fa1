"""Manifests that are calibrated for two practices by name."""

from typing import Any, Final

import numpy as np

from device.models.network_spec import OperatingPoint

SHARES: Final = {
    "screening": (0.03, 0.05, 0.11, 0.01, 0.11, 0.67, 0.02),
    "referral": (0.10, 0.25, 0.14, 0.01, 0.15, 0.33, 0.02),
}
"""Of akiec, bcc, bkl, df, mel, nv and vasc, as the build host has them."""


def with_case_mixes(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest whose networks can be read for each of `SHARES`, the first in force.

    What the networks say is moved from the first practice to the others by Bayes's rule; their
    thresholds differ, so that one is not taken for the other.
    """
    live, captured = manifest["live"], manifest["captured"]
    return manifest | {
        "case_mix": next(iter(SHARES)),
        "live": _read_for_each(live),
        "captured": captured and _read_for_each(captured),
    }


def without_case_mixes(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest whose networks are read as now, for no practice by name."""
    live, captured = (
        network and network | {"case_mixes": []}
        for network in (manifest["live"], manifest["captured"])
    )
    return manifest | {"case_mix": "", "live": live, "captured": captured}


def _read_for_each(network: dict[str, Any]) -> dict[str, Any]:
    first = np.array(next(iter(SHARES.values())))
    mixes = []
    for place, (name, shares) in enumerate(SHARES.items()):
        bias = np.array(network["calibration"]["bias"]) + np.log(np.array(shares) / first)
        point = OperatingPoint(
            name=f"malignant-{name}", score="malignant", threshold=0.0, sensitivity=1.0,
            specificity=0.0, fitted_on="this test",
        )  # fmt: skip
        mixes.append(
            {
                "name": name,
                "shares": list(shares),
                "calibration": network["calibration"] | {"bias": bias.tolist()},
                "operating_points": [{f: getattr(point, f) for f in point.__struct_fields__}],
                "conformal": network["conformal"] | {"thresholds": [0.5 * (1 - place)] * 7},
                "abstention": network["abstention"]
                | {"unfamiliar_below": None, "uncertain_below": 0.0 if place else 1.0},
            }
        )
    read = {key: mixes[0][key] for key in mixes[0].keys() - {"name", "shares"}}
    return network | read | {"case_mixes": mixes}
