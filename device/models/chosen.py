"""The bundle to use: the settings', else the one that was installed, else the one that ships."""

from pathlib import Path

from device.config import Config, model_folder
from device.errors import BundleError, UntrustedError
from device.language import translatable
from device.models.bundle import Bundle, load_bundle
from device.models.installed import current_folder, models_folder
from device.models.trust import trust_of
from device.paths import state_folder


def chosen_folder(config: Config, state: Path | None = None) -> Path:
    """Return the folder of the bundle to use.

    Parameters
    ----------
    state
        The state folder; by default this user's.
    """
    if config.model:
        return model_folder(config)
    return current_folder(models_folder(state or state_folder())) or model_folder(config)


def check_installed_is_used(config: Config) -> None:
    """Refuse to change what is installed where it is not what is used.

    Raises
    ------
    device.errors.BundleError
        If a setting names the bundle to use.
    """
    if config.model:
        raise BundleError(
            "the setting model names {folder}, and an installed model would not be used",
            action=translatable("remove the setting first"),
            folder=config.model,
        )


def open_bundle(config: Config, folder: Path | None = None, state: Path | None = None) -> Bundle:
    """Return the verified bundle, read for the practice that the settings name.

    Parameters
    ----------
    folder
        The bundle's folder, where it is not the one to use.
    state
        The state folder; by default this user's.

    Raises
    ------
    device.errors.BundleError
        If it does not hold, is for another kind of device, or is not calibrated for the practice.
    """
    state = state or state_folder()
    trust = trust_of(config.trusted_keys, models_folder(state))
    try:
        bundle = load_bundle(folder or chosen_folder(config, state), trust.keys)
    except UntrustedError as error:
        if not trust.revoked:
            raise
        # Whoever revoked a key should not have to guess why a bundle is refused.
        fault, revoked = error.fault, f"{len(trust.revoked)} keys were revoked"
        raise UntrustedError(
            fault.message, action=fault.action, where=fault.where, detail=revoked, **fault.values
        ) from None
    classes = bundle.release.device_classes if bundle.release else ()
    if classes and config.device_class not in classes:
        raise BundleError(
            "the bundle is for devices of the class {classes}, and the setting device_class says "
            "{device_class}",
            action=translatable("take the bundle of this device"),
            where=str(bundle.folder),
            classes=", ".join(classes),
            device_class=config.device_class or "none",
        )
    return bundle.with_case_mix(config.case_mix) if config.case_mix else bundle
