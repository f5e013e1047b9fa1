"""Following a signed list of keys, without locking the instrument out of its own model."""

from pathlib import Path

from device.config import Config
from device.errors import BundleError
from device.installation.lock import locked
from device.installation.trial_period import CONFIRMED_SECONDS
from device.language import translatable
from device.models.bundle import Bundle
from device.models.chosen import open_bundle
from device.models.installed import models_folder, read_installed
from device.models.trust import (
    KEY_LIST_FILE,
    Trust,
    followed,
    keep_key_list,
    read_key_list,
    trust_of,
)


def follow_key_list(path: Path, config: Config, state: Path) -> Trust:
    """Follow a list of keys, and return what holds after it.

    Raises
    ------
    device.errors.BundleError
        If it is not one to follow, would keep the model in use from starting, or revokes a key
        while a model is on trial.
    """
    folder = models_folder(state)
    content = read_key_list(path)
    try:
        with locked(folder):
            before = trust_of(config.trusted_keys, folder)
            after = followed(before, content)
            _check_no_trial(config, folder, before, after)
            _check_model_in_use(open_bundle(config, state=state), after)
            keep_key_list(folder, content, after)
    except OSError as error:
        raise BundleError(
            "the list of keys cannot be kept",
            action=translatable("free space on the disk, or check that it can be written"),
            detail=error.strerror or "",
        ) from None
    return after


def follow_key_list_in(staged: Path, config: Config, folder: Path, used: Bundle | None) -> Trust:
    """Return the keys that hold, changed by the list that comes with the bundle where it is new.

    Parameters
    ----------
    staged
        The bundle's folder.
    folder
        In which installed models are kept.
    used
        The model in use; None where it does not open, so that no list can take it away.
    """
    before = trust_of(config.trusted_keys, folder)
    if not (staged / KEY_LIST_FILE).exists():
        return before
    content = read_key_list(staged / KEY_LIST_FILE)
    try:
        after = followed(before, content)
    except BundleError:
        # Followed already, or by another maker: then the bundle must stand by itself.
        return before
    _check_no_trial(config, folder, before, after)
    if used is not None:
        _check_model_in_use(used, after)
    keep_key_list(folder, content, after)
    return after


def _check_no_trial(config: Config, folder: Path, before: Trust, after: Trust) -> None:
    """Refuse to revoke keys while a model may still be taken back: the one before must open then.

    Which model that is, and whose key opens it, may change until then; that no key goes does not.
    """
    if not config.model and read_installed(folder).on_trial and after.revoked != before.revoked:
        raise BundleError(
            "the list of keys revokes a key while a new model is on trial",
            action=translatable(
                "try again when the instrument has worked with it for {minutes} minutes, or take "
                "it back"
            ),
            minutes=round(CONFIRMED_SECONDS / 60),
        )


def _check_model_in_use(used: Bundle, after: Trust) -> None:
    """Refuse a list after which the instrument would not start."""
    if used.signed_by not in after.keys:
        raise BundleError(
            "the list of keys revokes the key of {model}, which is in use",
            action=translatable("install a model that another key signed first"),
            model=used.manifest.model_id,
        )
