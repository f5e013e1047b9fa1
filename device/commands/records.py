"""``dermascope records``: what is done with the archive while the instrument does not run."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from device.commands.options import Add, Command, option_path
from device.commands.secret_input import ask_secret, ask_secret_twice
from device.commands.standard_error import print_error
from device.config import Config, load_config, records_folder, records_key_file
from device.errors import DermascopeError, RecordError
from device.exit_status import ExitStatus
from device.platform.clock import Clock
from device.text import printable, printable_path

if TYPE_CHECKING:
    from device.records.backup import Secret
    from device.records.encrypted_archive import EncryptedArchive


def add_records(add_command: Add) -> None:
    """Add it and its own commands to the command line."""
    records = add_command(
        "records",
        _verify,
        "Back up, restore, verify and lock what is kept of examinations and patients.",
        "The instrument must not run meanwhile. PINs and passphrases are asked for, or read from "
        "standard input, a line each.",
    )
    own = records.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = own.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        sub.add_argument(
            "--key-file",
            action="store_true",
            help="open the records with the file that the `records_key_file` setting names, though "
            "they have PINs",
        )
        return sub

    backup = add("backup", _backup, "Bring an encrypted copy up to date, and verify it.")
    restore = add(
        "restore", _restore, "Make the records of an encrypted copy; PINs are to be set anew."
    )
    verify = add("verify", _verify, "Name whatever is not as it was written.")
    for sub, what in ((backup, "to write to"), (restore, "to read"), (verify, "to verify")):
        sub.add_argument(
            "folder",
            type=option_path,
            metavar="DIR",
            nargs="?" if sub is verify else None,
            help=f"folder of the backup {what}"
            + (" (default: the records themselves)" if sub is verify else ""),
        )
        sub.add_argument(
            "--backup-key",
            type=option_path,
            metavar="FILE",
            help="file of 32 bytes or more that opens the backup in the place of a passphrase",
        )
    importing = add(
        "import", _import, "Bring over examinations that earlier releases kept as plain files."
    )
    importing.add_argument(
        "folder", type=option_path, metavar="DIR", help="folder that they are in"
    )
    importing.add_argument(
        "--remove", action="store_true", help="remove the plain files of each once it is safe"
    )
    pin = add("pin", _pin, "List who has a PIN, give someone one, or take it away.")
    pin.add_argument("name", nargs="?", metavar="NAME", help="whose PIN; none to list all")
    either = pin.add_mutually_exclusive_group()
    either.add_argument(
        "--role",
        choices=("clinician", "field", "service"),
        default="clinician",
        help="what they may do (default: %(default)s)",
    )
    either.add_argument("--remove", action="store_true", help="take the PIN away")
    picture = add("picture", _picture, "Write the picture of an examination, unencrypted.")
    picture.add_argument("identifier", metavar="IDENTIFIER", help="of the examination, or `newest`")
    picture.add_argument("out", type=option_path, metavar="OUT", help="PNG file to write")
    delete = add(
        "delete", _delete, "Delete a patient with all lesions and pictures, or a picture, for good."
    )
    delete.add_argument(
        "identifier", metavar="IDENTIFIER", help="the patient's, or with --picture an examination's"
    )
    delete.add_argument(
        "--picture", action="store_true", help="delete this examination alone, with its picture"
    )
    expire = add(
        "expire",
        _expire,
        "Count the patients whose newest picture is older than the `records_years` setting.",
    )
    expire.add_argument("--delete", action="store_true", help="delete them, for good")
    add("trail", _trail, "Print what was done with the records, by whom and when.")


def _backup(options: argparse.Namespace, clock: Clock) -> int:
    from device.records.backup import back_up

    with _opened(options, clock) as archive:
        secret = _secret(options, "Passphrase of the backup: ", anew=True)
        copied = damaged = 0
        for error in back_up(archive, options.folder, secret):
            if error is None:
                copied += 1
                continue
            damaged += 1
            print_error(str(error))
        if options.folder.stat().st_dev == archive.folder.stat().st_dev:
            # Such as where a stick that was to be mounted is not.
            print_error(
                f"{printable_path(options.folder)}: lies on the same disk as the records, and is "
                "lost with it; back up to another"
            )
    print(f"{copied} pictures copied to {printable_path(options.folder)}, and verified.")
    return ExitStatus.BAD_INPUT if damaged else ExitStatus.OK


def _restore(options: argparse.Namespace, clock: Clock) -> int:
    from device.records.backup import restore

    config = load_config(options.config)
    folder = records_folder(config)
    secret = _secret(options, "Passphrase of the backup: ")
    key_file = records_key_file(config)
    count = sum(1 for _ in restore(options.folder, folder, secret, clock=clock, key_file=key_file))
    print(f"{count} pictures restored to {printable_path(folder)}.")
    if key_file is None:
        print("The records are not locked: set PINs with `dermascope records pin NAME`.")
    with _opened(options, clock) as archive:
        return _tell_what_is_wrong(archive)


def _verify(options: argparse.Namespace, clock: Clock) -> int:
    from device.records.encrypted_archive import EncryptedArchive

    if options.folder is None:
        with _opened(options, clock) as archive:
            left = _taken_in(archive)
            return _tell_what_is_wrong(archive) or left
    backup = EncryptedArchive(options.folder, clock, create=False, key_file=options.backup_key)
    try:
        backup.open()
        if backup.access.locked:
            backup.unlock(ask_secret("Passphrase of the backup: "))
        return _tell_what_is_wrong(backup)
    finally:
        backup.close()


def _tell_what_is_wrong(archive: "EncryptedArchive") -> int:
    from device.records.verification import verify

    whole = wrong = 0
    for told in verify(archive):
        if told is None:
            whole += 1
        else:
            wrong += 1
            print(printable(told))
    print(f"{whole} examinations are whole; found wrong: {wrong}.")
    return ExitStatus.BAD_INPUT if wrong else ExitStatus.OK


def _import(options: argparse.Namespace, clock: Clock) -> int:
    done = damaged = 0
    with _opened(options, clock) as archive:
        for error in archive.import_from(options.folder, remove=options.remove):
            if error is None:
                done += 1
            else:
                damaged += 1
                print_error(str(error))
    print(f"{done} examinations are in the records.")
    return ExitStatus.BAD_INPUT if damaged else ExitStatus.OK


def _pin(options: argparse.Namespace, clock: Clock) -> int:
    from device.records.access import Holder
    from device.records.patients import Role

    with _opened(options, clock, ask=options.name is not None) as archive:
        if options.name is None:
            for holder in archive.holders():
                print(f"{holder.name}: {holder.role}")
            print(f"The records are opened by: {archive.access.protection}.")
        elif options.remove:
            archive.remove_pin(options.name)
        else:
            pin = ask_secret_twice(f"New PIN of {printable(options.name)}: ")
            archive.set_pin(Holder(options.name, Role(options.role)), pin)
    return ExitStatus.OK


def _picture(options: argparse.Namespace, clock: Clock) -> int:
    from PIL import Image

    with _opened(options, clock) as archive:
        _taken_in(archive)
        identifier = options.identifier
        if identifier == "newest":
            identifiers = archive.identifiers(newest=1)
            if not identifiers:
                raise RecordError("there is no examination yet")
            (identifier,) = identifiers
        archive.note_export(f"picture of {identifier}")
        image = archive.read(identifier).image
        try:
            Image.fromarray(image).save(options.out, format="PNG")
        except OSError as error:
            reason = f"cannot be written ({error.strerror or error})"
            raise DermascopeError(f"{printable_path(options.out)}: {reason}") from None
    return ExitStatus.OK


def _delete(options: argparse.Namespace, clock: Clock) -> int:
    with _opened(options, clock) as archive:
        # What was kept while they were locked may be of the patient, too.
        _taken_in(archive)
        if options.picture:
            archive.delete_examination(options.identifier)
            print("1 picture deleted.")
            return ExitStatus.OK
        patient = archive.find_patient(options.identifier)
        if patient is None:
            raise RecordError("no patient has this identifier", action="check it")
        count = archive.delete_patient(patient.key)
    print(f"1 patient deleted, with {count} pictures.")
    return ExitStatus.OK


def _expire(options: argparse.Namespace, clock: Clock) -> int:
    from device.records.retention import expire

    config = load_config(options.config)
    if not config.records_years:
        raise DermascopeError("records_years: is not set, so that records are kept for ever")
    now = clock.now()
    before = now.replace(year=now.year - config.records_years, day=min(now.day, 28))
    with _opened(options, clock) as archive:
        _taken_in(archive)
        patients, unfiled = expire(archive, before, delete=options.delete)
    done = "deleted" if options.delete else "to be deleted"
    print(f"Older than {before:%Y-%m-%d}, {done}: {patients} patients, {unfiled} other pictures.")
    return ExitStatus.OK


def _trail(options: argparse.Namespace, clock: Clock) -> int:
    with _opened(options, clock) as archive:
        for entry in archive.trail():
            words = (entry.time, entry.holder, entry.event, entry.subject)
            print(entry.number, *(printable(word) for word in words), sep="\t")
    return ExitStatus.OK


def _taken_in(archive: "EncryptedArchive") -> int:
    """Take in what was kept while the records were locked; return the status if some stays out."""
    left = archive.take_in_whole()
    if left is not None:
        print_error(str(left))
    return ExitStatus.BAD_INPUT if left else ExitStatus.OK


@contextmanager
def _opened(
    options: argparse.Namespace, clock: Clock, ask: bool = True
) -> Iterator["EncryptedArchive"]:
    """Yield the records, open unless nobody is to be asked for a PIN."""
    archive = _archive(load_config(options.config), clock)
    try:
        archive.open()
        if options.key_file:
            archive.unlock_with_key_file()
        elif ask and archive.access.locked:
            archive.unlock(ask_secret("PIN: "))
        yield archive
    finally:
        archive.close()


def _archive(config: Config, clock: Clock) -> "EncryptedArchive":
    from device.records.encrypted_archive import EncryptedArchive

    return EncryptedArchive(
        records_folder(config),
        clock,
        create=not config.records_folder,
        share=config.records_share / 100,
        key_file=records_key_file(config),
    )


def _secret(options: argparse.Namespace, prompt: str, anew: bool = False) -> "Secret":
    from device.records.keyring import read_key_file

    if options.backup_key is None:
        return ask_secret_twice(prompt) if anew else ask_secret(prompt)
    try:
        return read_key_file(options.backup_key)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DermascopeError(
            f"{printable_path(options.backup_key)}: cannot be read as a key ({reason})"
        ) from None
