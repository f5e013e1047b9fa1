import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pygame
import pytest
from PIL import Image

from device import __version__
from device.capture.demo import SCENES
from device.capture.frame import Frame
from device.cli import main
from device.diagnoses import CODES
from device.errors import DermascopeError
from device.inference.bundle import MANIFEST_FILE, Bundle
from device.inference.finding import FindingRecord
from device.screen.layout import arrange
from device.service import RESTART, SWITCH_OFF
from tests.device.bundles import write_bundle
from tests.device.images import (
    PATTERN,
    cmyk_jpeg,
    encoded,
    grey_16_bit_png,
    half_transparent,
    huge_png,
    palette_with_transparency,
    turned_jpeg,
)

ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]

JPEG = encoded(PATTERN, "JPEG")
BAD = {
    "truncated.jpg": JPEG[: len(JPEG) // 2],
    "empty.jpg": b"",
    "text.jpg": b"this is a letter, not a picture\n",
    "huge.png": huge_png(),
    "signature-only.png": b"\x89PNG\r\n\x1a\n",
}
UNDERSTOOD = {
    "grey-16.png": grey_16_bit_png(np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20)),
    "grey-8.png": encoded(np.arange(256, dtype=np.uint8).reshape(16, 16), "PNG"),
    "cmyk.jpg": cmyk_jpeg(),
    "rgba.png": encoded(half_transparent(), "PNG"),
    "palette.png": encoded(palette_with_transparency(), "PNG"),
}


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person does."""
    return subprocess.run(
        [sys.executable, "-m", "device", *map(os.fspath, arguments)],
        cwd=ROOT,
        check=False,
        text=True,
        timeout=60,
        **({"capture_output": True} | options),
    )


def records(out: str) -> list[FindingRecord]:
    return [msgspec.json.decode(line, type=FindingRecord, strict=True) for line in out.splitlines()]


def complaint(capsys: Capture) -> str:
    """Return the one line on standard error."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("dermascope: ")
    assert "internal error" not in lines[0]
    return lines[0]


def test_photo_gets_a_table_and_a_conclusion(photo: Path, capsys: Capture) -> None:
    assert main(["analyze", str(photo)]) == 0
    out, err = capsys.readouterr()
    assert "photo.jpg" in out.replace("\n", "")
    for words in ("Melanoma", "Basal cell carcinoma", "Malignant group", "Not excluded", "Quality"):
        assert words in out
    assert err == ""


def test_photo_gets_one_json_line(photo: Path, capsys: Capture) -> None:
    assert main(["analyze", "--json", str(photo)]) == 0
    out, err = capsys.readouterr()
    (record,) = records(out)
    assert record.image == str(photo)
    assert sum(record.probabilities.values()) == pytest.approx(1.0)
    assert tuple(record.probabilities) == CODES
    assert record.diagnosis == max(record.probabilities, key=record.probabilities.__getitem__)
    assert err == ""


def test_photos_come_out_in_the_order_they_were_named(
    tmp_path: Path, frames: tuple[Frame, ...], capsys: Capture
) -> None:
    paths = []
    for i in (3, 0, 1):
        Image.fromarray(frames[i].pixels[::4, ::4]).save(path := tmp_path / f"{i}.png")
        paths.append(str(path))
    assert main(["analyze", "--json", *paths]) == 0
    found = records(capsys.readouterr().out)
    assert [record.image for record in found] == paths
    assert len({record.malignancy for record in found}) == 3


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_named_and_the_rest_is_done(
    tmp_path: Path, photo: Path, capsys: Capture, name: str
) -> None:
    bad = write(tmp_path, name, BAD[name])
    assert main(["analyze", "--json", str(photo), str(bad), str(photo)]) == 2
    out, err = capsys.readouterr()
    assert [record.image for record in records(out)] == [str(photo)] * 2
    (line,) = err.splitlines()
    assert line.startswith(f"dermascope: {bad}: ")
    assert "internal error" not in line


@pytest.mark.parametrize(
    "kind", ["folder", "missing", "below-a-file", "loop", "long-name", "double-space", "escape"]
)
def test_path_that_is_no_file_is_named_and_the_rest_is_done(
    tmp_path: Path, photo: Path, capsys: Capture, kind: str
) -> None:
    bad = {
        "folder": tmp_path,
        "missing": tmp_path / "missing.jpg",
        "below-a-file": photo / "more.jpg",
        "loop": tmp_path / "loop.jpg",
        "long-name": tmp_path / f"{'x' * 300}.jpg",
        "double-space": tmp_path / "two  spaces.jpg",
        "escape": tmp_path / "red\x1b[31m.jpg",
    }[kind]
    if kind == "loop":
        bad.symlink_to(bad)
    assert main(["analyze", "--json", str(bad), str(photo)]) == 2
    out, err = capsys.readouterr()
    assert len(records(out)) == 1
    (line,) = err.splitlines()
    assert "internal error" not in line
    assert line.isprintable()
    if kind != "escape":
        assert line.startswith(f"dermascope: {bad}: ")


def test_every_bad_file_has_its_line(tmp_path: Path, capsys: Capture) -> None:
    paths = [str(write(tmp_path, name, content)) for name, content in BAD.items()]
    assert main(["analyze", *paths]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    for path, line in zip(paths, err.splitlines(), strict=True):
        assert line.startswith(f"dermascope: {path}: ")


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_unusual_image_gets_a_finding(tmp_path: Path, capsys: Capture, name: str) -> None:
    path = write(tmp_path, name, UNDERSTOOD[name])
    assert main(["analyze", "--json", str(path)]) == 0
    out, err = capsys.readouterr()
    assert len(records(out)) == 1
    assert err == ""


def test_every_way_to_hold_the_camera_gives_the_same_finding(
    tmp_path: Path, capsys: Capture
) -> None:
    paths = [str(write(tmp_path, f"{i}.jpg", turned_jpeg(i))) for i in range(1, 9)]
    assert main(["analyze", "--json", *paths]) == 0
    found = records(capsys.readouterr().out)
    assert len(found) == 8
    assert all(record.probabilities == found[0].probabilities for record in found)


def test_name_with_a_newline_gets_one_line(tmp_path: Path, photo: Path, capsys: Capture) -> None:
    bad = write(tmp_path, "two\nlines.jpg", b"hello")
    assert main(["analyze", "--json", str(bad), str(photo)]) == 2
    out, err = capsys.readouterr()
    assert len(records(out)) == 1
    (line,) = err.splitlines()
    assert "two" in line
    assert "lines.jpg" in line


def test_names_that_are_no_text_are_understood_and_named(tmp_path: Path) -> None:
    good = os.fsencode(tmp_path) + b"/good-\xff\xfe.jpg"
    bad = os.fsencode(tmp_path) + b"/bad-\xff.jpg"
    Path(os.fsdecode(good)).write_bytes(JPEG)
    Path(os.fsdecode(bad)).write_bytes(JPEG[:200])
    for how in (["--json"], []):
        done = run("analyze", *how, os.fsdecode(good), os.fsdecode(bad), os.fsdecode(good))
        assert done.returncode == 2
        assert done.stdout.replace("\n", "").count("/good-") == 2
        (line,) = done.stderr.splitlines()
        assert "bad-" in line
        assert "internal error" not in line


def test_command_line_as_a_person_uses_it(tmp_path: Path, photo: Path) -> None:
    bad = write(tmp_path, "truncated.jpg", BAD["truncated.jpg"])
    done = run("analyze", "--json", bad, photo)
    assert done.returncode == 2
    assert [record.image for record in records(done.stdout)] == [str(photo)]
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"dermascope: {bad}: ")


def test_damaged_tiff_gets_one_line(tmp_path: Path) -> None:
    content = bytearray(encoded(Image.effect_noise((64, 64), 50), "TIFF", compression="tiff_lzw"))
    content[100:140] = b"\xff" * 40
    bad = write(tmp_path, "damaged.tif", bytes(content))
    cut = write(tmp_path, "cut.tif", bytes(content[:-60]))
    done = run("analyze", bad, cut)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith(f"dermascope: {bad}: ")
    assert second.startswith(f"dermascope: {cut}: ")


def test_overlay_is_written_in_the_size_of_the_photo(
    tmp_path: Path, frames: tuple[Frame, ...], capsys: Capture
) -> None:
    out, photo = tmp_path / "made" / "overlay.png", tmp_path / "lesion.png"
    seen = []
    for frame in frames:
        Image.fromarray(frame.pixels).save(photo)
        assert main(["analyze", "--json", "--overlay", str(out), str(photo)]) == 0
        with Image.open(out) as overlay, Image.open(photo) as original:
            assert overlay.size == original.size
            seen.append((np.asarray(overlay) != np.asarray(original)).any())
        told = capsys.readouterr().err
        assert ("lesion.png: nothing in it speaks for" in told) != seen[-1]
        assert bool(told) != seen[-1]
    assert any(seen)


def test_overlays_of_several_photos_go_to_a_folder(
    tmp_path: Path, frames: tuple[Frame, ...], capsys: Capture
) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(frames[0].pixels[:90, :120]).save(tmp_path / name)
    out = tmp_path / "out"
    names = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert main(["analyze", "--overlay", str(out), *names]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["a-overlay.png", "b-overlay.png"]


def test_overlay_keeps_its_photos_name_when_another_photo_is_bad(
    tmp_path: Path, capsys: Capture
) -> None:
    """An overlay under another patient's name would be the worst of mistakes."""
    sizes = {"first": (40, 30), "third": (50, 20)}
    for name, size in sizes.items():
        Image.new("RGB", size, (200, 140, 120)).save(tmp_path / f"{name}.png")
    write(tmp_path, "second.png", b"hello")
    out = tmp_path / "out"
    names = [str(tmp_path / f"{n}.png") for n in ("second", "first", "third")]
    assert main(["analyze", "--json", "--overlay", str(out), *names]) == 2
    written = {}
    for path in out.iterdir():
        with Image.open(path) as overlay:
            written[path.name] = overlay.size
    assert written == {f"{name}-overlay.png": size for name, size in sizes.items()}


def test_photos_of_one_name_get_overlays_of_their_own(tmp_path: Path, capsys: Capture) -> None:
    names = []
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "lesion.png"
        path.write_bytes(encoded(PATTERN, "PNG"))
        names.append(str(path))
    out = tmp_path / "out"
    assert main(["analyze", "--json", "--overlay", str(out), *names]) == 0
    assert len(list(out.iterdir())) == 3


@pytest.mark.parametrize("out", ["overlay", "overlay.docx"])
def test_overlay_without_a_known_ending_is_refused(
    tmp_path: Path, photo: Path, capsys: Capture, out: str
) -> None:
    assert main(["analyze", "--json", "--overlay", str(tmp_path / out), str(photo)]) == 2
    line = complaint(capsys)
    assert str(tmp_path / out) in line
    assert ".png" in line


def test_overlay_that_cannot_be_written_is_named(
    tmp_path: Path, photo: Path, capsys: Capture
) -> None:
    out = photo / "overlay.png"
    assert main(["analyze", "--json", "--overlay", str(out), str(photo)]) == 2
    assert str(out) in complaint(capsys)


def test_file_in_place_of_the_folder_of_overlays_is_named(
    tmp_path: Path, photo: Path, capsys: Capture
) -> None:
    assert main(["analyze", "--json", "--overlay", str(photo), str(photo), str(photo)]) == 2
    assert "cannot be made a folder" in complaint(capsys)


def test_photo_is_never_overwritten_by_its_overlay(photo: Path, capsys: Capture) -> None:
    before = photo.read_bytes()
    main(["analyze", "--json", "--overlay", str(photo), str(photo)])
    assert photo.read_bytes() == before


def test_schema_describes_what_is_printed(photo: Path, capsys: Capture) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    definition = schema["$defs"]["FindingRecord"]
    main(["analyze", "--json", str(photo)])
    printed = json.loads(capsys.readouterr().out)
    assert set(definition["required"]) == set(printed) == set(definition["properties"])
    quality = schema["$defs"]["QualityRecord"]
    assert set(quality["required"]) == set(printed["quality"])


def test_model_is_verified_and_described(bundle: Bundle, capsys: Capture) -> None:
    assert main(["model"]) == 0
    out, err = capsys.readouterr()
    assert bundle.manifest.model_id in out
    assert "Signature and hash hold" in out
    assert bundle.signed_by[:16] in out
    assert bundle.manifest.provenance.licence in out
    assert err == ""


def test_altered_model_is_refused_by_every_command(
    tmp_path: Path, bundle: Bundle, photo: Path, capsys: Capture
) -> None:
    for path in bundle.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "model.tflite").open("r+b") as file:
        file.write(b"\xff")
    for command in (["model"], ["analyze", str(photo)], ["run"], ["demo", "--out", str(tmp_path)]):
        assert main([command[0], "--model", str(tmp_path), *command[1:]]) == 2
        assert "SHA-256 differs" in complaint(capsys)


def test_truncated_model_gets_one_line(tmp_path: Path, bundle: Bundle, photo: Path) -> None:
    manifest = json.loads((bundle.folder / MANIFEST_FILE).read_bytes())
    key = write_bundle(tmp_path / "bundle", manifest, bundle.model[:5000])
    config = tmp_path / "config.toml"
    config.write_text(f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n')
    done = run("--config", config, "analyze", photo)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "does not load" in line


def test_missing_model_is_named(tmp_path: Path, capsys: Capture) -> None:
    assert main(["model", "--model", str(tmp_path / "missing")]) == 2
    assert str(tmp_path / "missing") in complaint(capsys)


def test_settings_name_model_and_key(
    tmp_path: Path, bundle: Bundle, photo: Path, capsys: Capture
) -> None:
    manifest = json.loads((bundle.folder / MANIFEST_FILE).read_bytes()) | {"name": "of-our-own"}
    key = write_bundle(tmp_path / "bundle", manifest, bundle.model)
    config = tmp_path / "config.toml"
    config.write_text(f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n')
    assert main(["--config", str(config), "analyze", "--json", str(photo)]) == 0
    (record,) = records(capsys.readouterr().out)
    assert record.model.startswith("of-our-own ")


@pytest.mark.parametrize("content", ["colour = 1", "threads = 99", "nonsense"])
def test_bad_settings_are_named(tmp_path: Path, capsys: Capture, content: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(content)
    assert main(["--config", str(config), "model"]) == 2
    assert str(config) in complaint(capsys)


def test_demonstration_without_a_screen_writes_pictures(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "pictures"
    assert main(["demo", "--out", str(out)]) == 0
    names = [f"screen-{n}.png" for n in range(1, len(SCENES) + 1)]
    assert sorted(p.name for p in out.iterdir()) == names
    seen = set()
    for name in names:
        with Image.open(out / name) as picture:
            assert picture.size == (1024, 600)
            seen.add(picture.tobytes())
    assert len(seen) == len(SCENES)
    printed, err = capsys.readouterr()
    assert printed.count("Malignant group") == len(SCENES)
    assert err == ""


def test_demonstration_that_cannot_write_says_so(photo: Path, capsys: Capture) -> None:
    assert main(["demo", "--out", str(photo)]) == 2
    assert str(photo) in complaint(capsys)


def test_live_view_opens_and_ends(capsys: Capture) -> None:
    finished = threading.Event()

    def quit_when_open() -> None:
        while not finished.is_set():
            with contextlib.suppress(pygame.error):  # not open yet, or closed already
                pygame.event.post(pygame.event.Event(pygame.QUIT))
            time.sleep(0.05)

    person = threading.Thread(target=quit_when_open)
    person.start()
    try:
        assert main(["run", "--source", "demo"]) == 0
    finally:
        finished.set()
        person.join()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("ending", "status"), [("restart", RESTART), ("off", SWITCH_OFF)])
def test_appliance_ends_with_what_was_asked_of_it(ending: str, status: int) -> None:
    finished = threading.Event()
    targets = arrange(1024, 600).targets
    places = [targets["live"]["more"], targets["settings"]["quit"], targets["off"][ending]]

    def touch() -> None:
        while not finished.is_set():
            for place in places:
                with contextlib.suppress(pygame.error):
                    down = pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=place.center, button=1)
                    pygame.event.post(down)
            time.sleep(0.3)

    person = threading.Thread(target=touch)
    person.start()
    try:
        assert main(["run", "--source", "demo", "--appliance"]) == status
    finally:
        finished.set()
        person.join()


@pytest.mark.parametrize("source", ["camera", "replay:", "replay:/no/such/folder"])
def test_live_view_without_its_source_says_so(capsys: Capture, source: str) -> None:
    assert main(["run", "--source", source]) == 2
    assert source.removeprefix("replay:/") in complaint(capsys)


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["analyze"], ["analyze", "--nonsense", "a.jpg"]], ids=str
)
def test_wrong_use_is_explained(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: dermascope" in capsys.readouterr().err


def test_version_is_told(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"dermascope {__version__}\n"


@pytest.mark.parametrize(
    "command", [["model"], ["schema"], ["analyze"], ["analyze", "--json"]], ids=" ".join
)
def test_reader_who_goes_away_is_no_error(photo: Path, command: list[str]) -> None:
    photos = [str(photo)] * 2 if command[0] == "analyze" else []
    read, written = os.pipe()
    os.close(read)
    done = run(*command, *photos, stdout=written, stderr=subprocess.PIPE, capture_output=False)
    os.close(written)
    assert done.returncode == 0
    assert done.stderr == ""


def test_service_without_standard_error_works(photo: Path) -> None:
    command = [sys.executable, "-m", "device", "analyze", "--json", str(photo)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert len(records(done.stdout)) == 1


def test_every_error_has_the_projects_base_and_a_builtin() -> None:
    from device import errors

    kinds = [
        k for k in vars(errors).values() if isinstance(k, type) and k.__module__ == "device.errors"
    ]
    assert DermascopeError in kinds
    for kind in kinds:
        assert issubclass(kind, DermascopeError)
        assert kind is DermascopeError or issubclass(kind, (ValueError, OSError))
