"""The bundle that the settings choose."""

from pathlib import Path

from device.config import Config, model_folder
from device.models.bundle import Bundle, load_bundle


def open_bundle(config: Config, folder: Path | None = None) -> Bundle:
    """Return the verified bundle, read for the practice that the settings name.

    Parameters
    ----------
    folder
        The bundle's folder, where it is not the one of the settings.

    Raises
    ------
    device.errors.BundleError
        If it does not hold, or is not calibrated for the practice.
    """
    bundle = load_bundle(folder or model_folder(config), config.trusted_keys)
    return bundle.with_case_mix(config.case_mix) if config.case_mix else bundle
