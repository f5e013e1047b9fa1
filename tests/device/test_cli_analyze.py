import io
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageCms

from device.cli import main
from device.console import print_finding
from device.diagnoses import CODES, MALIGNANT, Code
from device.frame import Frame
from device.imaging.overlay import blend_overlay
from device.inference.analyzer import Analyzer, likeliest_malignant
from device.inference.finding import NoCallReason, to_record
from device.models.bundle import Bundle
from tests.device.bundles import calling, plain_manifest, write_bundle
from tests.device.commands import JPEG, Capture, complaint, records, run, write
from tests.device.images import (
    PATTERN,
    cmyk_jpeg,
    damaged_tiff,
    encoded,
    grey_16_bit_png,
    half_transparent,
    huge_png,
    palette_with_transparency,
    turned_jpeg,
)
from tests.device.models.two_networks import (
    shipped_bundle,
    sign_two_networks,
    two_networks,
)
from tests.device.profiles import DISPLAY_P3

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


def test_photo_gets_a_table_and_a_conclusion(
    photo: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    assert main(["analyze", photo.name]) == 0
    out, err = capsys.readouterr()
    assert "photo.jpg" in out.replace("\n", "")
    for words in ("Melanoma", "Basal cell carcinoma", "Malignant group", "Quality"):
        assert words in out
    assert err == ""


@pytest.mark.parametrize(
    ("no_call", "codes", "told"),
    [
        (
            None,
            [Code.NV, Code.MEL, Code.BKL],
            "Not excluded: Melanoma, Seborrhoeic keratosis / lentigo.",
        ),
        (None, [Code.NV], ""),
        (
            NoCallReason.UNCERTAIN,
            [Code.NV, Code.MEL],
            "Not excluded: Melanocytic naevus, Melanoma.",
        ),
        (NoCallReason.UNSTABLE, [Code.NV, Code.MEL], "No call (unstable)."),
        (NoCallReason.NOT_DERMOSCOPIC, [Code.NV, Code.MEL], "No call (not-dermoscopic)."),
    ],
)
def test_leading_diagnosis_of_a_call_is_not_among_those_not_excluded(
    bundle: Bundle, frames: tuple[Frame, ...], capsys: Capture, no_call: NoCallReason | None,
    codes: list[Code], told: str,
) -> None:  # fmt: skip
    record = msgspec.structs.replace(
        to_record(Analyzer(bundle).analyze(frames[0]), "lesion.png", []),
        diagnosis=Code.NV, prediction_set=codes, no_call=no_call,
    )  # fmt: skip
    print_finding(record, bundle.manifest)
    out = capsys.readouterr().out
    assert told in out
    assert ("Not excluded" in out) == bool(told)
    assert ("No call" in out) == (no_call is not None)


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


def test_same_colours_in_another_profile_get_the_same_finding(
    tmp_path: Path, frames: tuple[Frame, ...], capsys: Capture
) -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(DISPLAY_P3))
    names = []
    for i, frame in enumerate(frames):
        srgb = Image.fromarray(frame.pixels)
        other = ImageCms.profileToProfile(srgb, ImageCms.createProfile("sRGB"), profile)
        srgb.save(tmp_path / f"{i}-srgb.png")
        other.save(tmp_path / f"{i}-embedded.png", icc_profile=DISPLAY_P3)
        other.save(tmp_path / f"{i}-lost.png", icc_profile=None)
        names += [str(tmp_path / f"{i}-{name}.png") for name in ("srgb", "embedded", "lost")]
    assert main(["analyze", "--json", *names]) == 0
    told = records(capsys.readouterr().out)
    found = np.array([[r.probabilities[code] for code in CODES] for r in told])
    srgb, embedded, lost = found[0::3], found[1::3], found[2::3]
    # Nothing but rounding is between the first two.
    rounding, shift = (np.median(np.abs(f - srgb).sum(axis=1)) for f in (embedded, lost))
    assert rounding < shift / 2


def test_name_with_a_newline_gets_one_line(tmp_path: Path, photo: Path, capsys: Capture) -> None:
    bad = write(tmp_path, "two\nlines.jpg", b"hello")
    assert main(["analyze", "--json", str(bad), str(photo)]) == 2
    out, err = capsys.readouterr()
    assert len(records(out)) == 1
    (line,) = err.splitlines()
    assert "two" in line
    assert "lines.jpg" in line


@pytest.mark.parametrize(
    "terminal",
    [
        {},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["utf-8", "latin-1", "ascii"],
)
def test_names_are_told_as_text_whatever_they_are_and_the_terminal_is(
    tmp_path: Path, terminal: dict[str, str]
) -> None:
    names = [b"a-\xff\xfe.jpg", "b-é.jpg".encode(), b"c-\n\x1b[31m.jpg"]
    told = ["a-\\xff\\xfe.jpg", "b-é.jpg", "c-\n\x1b[31m.jpg"]
    paths = [os.fsencode(tmp_path) + b"/" + name for name in (*names, b"bad-\xe9.jpg")]
    for path in paths:
        Path(os.fsdecode(path)).write_bytes(JPEG[:200] if b"bad" in path else JPEG)
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    # A title is folded where it is wider than the terminal.
    environment |= {"COLUMNS": "300"}
    for how in (["--json"], []):
        command = ["analyze", *how, *map(os.fsdecode, paths)]
        # Bytes as they are: what they are written in is what is tried.
        done = run(*command, encoding="latin-1", env=environment | terminal)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert r"/bad-\xe9.jpg: " in line
        if how:
            # No encoding but UTF-8 is JSON, and a name leads back to its file.
            found = records(done.stdout.encode("latin-1").decode("utf-8"))
            assert [Path(record.image).name for record in found] == told
        else:
            assert r"/a-\xff\xfe.jpg" in done.stdout
            assert r"/c-\n\x1b[31m.jpg" in done.stdout


def test_command_line_as_a_person_uses_it(tmp_path: Path, photo: Path) -> None:
    bad = write(tmp_path, "truncated.jpg", BAD["truncated.jpg"])
    done = run("analyze", "--json", bad, photo)
    assert done.returncode == 2
    assert [record.image for record in records(done.stdout)] == [str(photo)]
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"dermascope: {bad}: ")


def test_damaged_tiff_gets_one_line(tmp_path: Path) -> None:
    bad = write(tmp_path, "damaged.tif", damaged_tiff())
    cut = write(tmp_path, "cut.tif", damaged_tiff()[:-60])
    done = run("analyze", bad, cut)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith(f"dermascope: {bad}: ")
    assert second.startswith(f"dermascope: {cut}: ")


def test_damaged_exif_is_passed_over_in_silence(tmp_path: Path) -> None:
    exif = b"Exif\0\0II*\0\xff\xff\xff\xff"
    done = run("analyze", "--json", write(tmp_path, "a.jpg", encoded(PATTERN, "JPEG", exif=exif)))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(records(done.stdout)) == 1


def configured(folder: Path, manifest: dict[str, Any], bundle: Bundle) -> str:
    """Write a bundle of one network and settings that name it; return the settings' file."""
    key = write_bundle(folder / "bundle", manifest | {"captured": None}, bundle.live_model)
    config = folder / "c.toml"
    config.write_text(f'trusted_keys = ["{key}"]\nmodel = "{folder / "bundle"}"\n')
    return str(config)


@pytest.mark.parametrize("calls", [True, False])
def test_overlay_is_written_in_the_size_of_the_photo_and_says_why_it_has_no_map(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...], capsys: Capture, calls: bool
) -> None:
    config = configured(tmp_path, plain_manifest(calling(bundle) if calls else bundle), bundle)
    out, photo = tmp_path / "made" / "overlay.png", tmp_path / "lesion.png"
    seen = []
    for frame in frames:
        Image.fromarray(frame.pixels).save(photo)
        command = ["analyze", "--json", "--overlay", str(out), str(photo)]
        assert main(["--config", config, *command]) == 0
        with Image.open(out) as overlay, Image.open(photo) as original:
            assert overlay.size == original.size
            seen.append((np.asarray(overlay) != np.asarray(original)).any())
        told = capsys.readouterr()
        (record,) = records(told.out)
        assert bool(told.err) != seen[-1]
        assert (record.no_call is not None) == ("no map is drawn, for no call is made" in told.err)
    assert any(seen) if calls else not all(seen)


def test_overlay_has_no_map_of_a_diagnosis_that_is_too_unlikely(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...], capsys: Capture
) -> None:
    manifest = plain_manifest(calling(bundle))
    # Nothing is left but the likeliest.
    manifest["live"]["conformal"]["thresholds"] = [1.0] * len(CODES)
    config = configured(tmp_path, manifest, bundle)
    out, photo = tmp_path / "overlay.png", tmp_path / "lesion.png"
    benign = 0
    for frame in frames:
        Image.fromarray(frame.pixels).save(photo)
        command = ["analyze", "--json", "--overlay", str(out), str(photo)]
        assert main(["--config", config, *command]) == 0
        told = capsys.readouterr()
        (record,) = records(told.out)
        benign += record.diagnosis not in MALIGNANT
        unlikely = "no map is drawn, for" in told.err and "is too unlikely" in told.err
        assert unlikely == (record.diagnosis not in MALIGNANT)
    assert benign


def test_overlay_of_two_networks_is_the_held_ones_map_where_that_one_looked(
    tmp_path: Path, bundle: Bundle, occluding: Analyzer, frames: tuple[Frame, ...], capsys: Capture
) -> None:
    bundle, other = calling(bundle), calling(shipped_bundle("paper-28"))
    key = sign_two_networks(tmp_path / "bundle", two_networks(bundle, other), bundle, other)
    config, out, photo = (tmp_path / name for name in ("c.toml", "overlay.png", "lesion.png"))
    config.write_text(f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n')
    frame = frames[3]
    Image.fromarray(frame.pixels).save(photo)
    command = ["analyze", "--json", "--overlay", str(out), str(photo)]
    assert main(["--config", str(config), *command]) == 0
    (record,) = records(capsys.readouterr().out)
    code = likeliest_malignant(tuple(record.probabilities[code] for code in CODES))
    saliency = occluding.explain(frame, code)
    assert saliency.values.any()
    with Image.open(out) as overlay:
        np.testing.assert_array_equal(overlay, blend_overlay(frame.pixels, saliency.values))


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
    assert set(printed) == set(definition["properties"])
    # What older records lack.
    assert set(definition["required"]) == set(printed) - {"case_mix", "similar", "recommendation"}
    quality = schema["$defs"]["QualityRecord"]
    assert set(quality["required"]) == set(printed["quality"]) - {"extent", "remarks"}
