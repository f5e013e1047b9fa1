"""The command that makes images of cards."""

import argparse
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from build_host.cli.options import Add
from build_host.image.recipe import FOLDER
from device import __version__

_SETTINGS: Final = FOLDER / "dermascope.toml"


def add_image_commands(add: Add) -> None:
    """Add them to the command line."""
    image = add(
        "image", _image, "Build the image that an instrument's card is flashed with, as root.",
        more="The first time it takes most of an hour; then minutes, while the list of Debian "
        "packages is the same.",
    )  # fmt: skip
    image.add_argument(
        "--config", type=Path, metavar="FILE", default=_SETTINGS,
        help="the instrument's settings, for the card's first partition",
    )  # fmt: skip
    image.add_argument(
        "--provision", type=Path, metavar="CSV",
        help="a table with a row for each device: also write a settings file for each card",
    )  # fmt: skip
    image.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("build/image"),
        help="folder to write to (default: %(default)s)",
    )  # fmt: skip
    image.add_argument(
        "--version", default=__version__, help="version of the image (default: %(default)s)"
    )
    image.add_argument(
        "--url", default="https://example.org/dermascope",
        help="where the files will be served from, for Raspberry Pi Imager",
    )  # fmt: skip
    image.add_argument(
        "--layer", type=Path, metavar="DIR",
        help="also write the same as a source folder for rpi-image-gen",
    )  # fmt: skip
    image.add_argument(
        "--note-packages", action="store_true",
        help="write the Debian packages to build_host/image/packages.txt, for make regulatory",
    )  # fmt: skip
    image.add_argument(
        "--raw", action="store_true", help="leave the image as it is: for an emulated machine"
    )


def _image(options: argparse.Namespace, console: Console) -> int:
    from build_host.files import write_file
    from build_host.image.build import Build, build_image
    from build_host.image.debian import PACKAGES, installed_packages, package_list
    from build_host.image.program import TREE
    from build_host.image.provisioning import checked_settings, write_settings
    from build_host.image.recipe import load_recipe
    from build_host.image.release import image_name, publish
    from build_host.image.rpi_image_gen import write_layer
    from build_host.image.tools import Tools, cache_folder
    from build_host.image.update_key import default_update_key
    from build_host.regulatory.sbom import sbom
    from build_host.regulatory.write import locked_packages, shipped_bundles

    folder = options.out.resolve()
    settings = checked_settings(options.config)
    cards = []
    if options.provision:
        cards = write_settings(options.provision, settings, folder / "cards")
    began = time.monotonic()

    def say(step: str) -> None:
        console.print(f"{time.monotonic() - began:6.0f} s  {step}", soft_wrap=True)

    say("Tools of Debian 13 (minutes, once)")
    tools = Tools(cache_folder())
    build = Build(
        work=folder / "work",
        settings=settings,
        key=default_update_key(),
        version=options.version,
    )
    built = build_image(build, tools, say)
    packages = installed_packages(built.root)
    if options.note_packages:
        write_file(PACKAGES, package_list(packages).encode())
        console.print(f"Wrote {PACKAGES}", soft_wrap=True)
    elif PACKAGES.read_text(encoding="utf-8") != package_list(packages):
        console.print(
            f"{PACKAGES} lists other packages than this image has: "
            "build it with --note-packages, then run make regulatory",
            soft_wrap=True,
        )
    if options.layer:
        write_layer(load_recipe(), built.root, options.layer)
        console.print(f"Wrote {options.layer}", soft_wrap=True)
    if not options.raw:
        say("Compressing")
        files = publish(built.card, folder, build.version, built.released, options.url, tools)
        materials = folder / f"{image_name(build.version)}.cdx.json"
        write_file(materials, sbom(locked_packages(TREE), shipped_bundles(TREE), packages))
        for path in (*files, materials):
            console.print(f"Wrote {path}", soft_wrap=True)
    console.print(f"Wrote {built.card}", soft_wrap=True)
    console.print(f"Wrote {built.update}", soft_wrap=True)
    for path in cards:
        console.print(f"Wrote {path}, for the card of {path.parent.name}", soft_wrap=True)
    say("Done")
    return 0
