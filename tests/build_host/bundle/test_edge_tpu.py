"""Is a network ready for the Edge TPU, and what its compiler makes of it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from build_host.bundle.edge_tpu import SUPPORTED, compile_model, readiness
from build_host.bundle.sign import KEY_VARIABLE, create_key
from build_host.errors import DataError
from device.config import CONFIG_VARIABLE, PROJECT_KEY, Config, model_folder
from device.inference.fake_edge_tpu import FakeEdgeTpu, compile_for_fake
from device.inference.network import Network
from device.inference.runtimes import installed_runtime
from device.models.bundle import Bundle, load_bundle
from tests.build_host.conftest import Done

Command = Callable[..., Done]
COMPILER = """#!{python}
import pathlib, sys
sys.path.insert(0, {root!r})
from device.inference.fake_edge_tpu import compile_for_fake
assert sys.argv[1] == "--out_dir"
source = pathlib.Path(sys.argv[3])
made = pathlib.Path(sys.argv[2]) / f"{{source.stem}}_edgetpu.tflite"
made.write_bytes(compile_for_fake(source.read_bytes()))
"""
BROKEN = "#!/bin/sh\necho 'Internal compiler error. Aborting!' >&2\nexit 1\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> tuple[Path, str]:
    """The shipped bundle, signed by oneself, and one's public key."""
    public = create_key(tmp_path / "signing.key")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "signing.key"))
    settings = tmp_path / "maker.toml"
    settings.write_text(f'trusted_keys = ["{PROJECT_KEY}", "{public}"]\n')
    monkeypatch.setenv(CONFIG_VARIABLE, str(settings))
    shutil.copytree(model_folder(Config()), tmp_path / "own")
    assert command("sign", tmp_path / "own").status == 0
    return tmp_path / "own", public


def with_compiler(monkeypatch: pytest.MonkeyPatch, folder: Path, content: str = "") -> Path:
    import sys

    root = str(Path(__file__).parents[3])
    tool = folder / "bin" / "edgetpu_compiler"
    tool.parent.mkdir()
    tool.write_text(content or COMPILER.format(python=sys.executable, root=root))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    return tool


def test_shipped_network_is_told_operation_by_operation(bundle: Bundle) -> None:
    told = readiness("model.tflite", bundle.live_model)
    assert sum(told.operations.values()) == told.of
    assert set(told.operations) - SUPPORTED == set(told.unsupported)
    assert told.operations["CONV_2D"] > 5
    assert told.floating_point == told.dynamic == ()
    assert told.ready == (told.mapped == told.of)


def test_first_operation_that_is_not_supported_ends_the_sub_graph(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("build_host.bundle.edge_tpu.SUPPORTED", SUPPORTED - {"DEPTHWISE_CONV_2D"})
    told = readiness("model.tflite", bundle.live_model)
    assert not told.ready
    assert "DEPTHWISE_CONV_2D" in told.unsupported
    assert told.mapped < told.of


def test_without_the_compiler_only_the_report_is_made(
    own: tuple[Path, str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    folder, _ = own
    before = sorted(path.name for path in folder.iterdir())
    done = command("edgetpu", folder)
    assert done.status == 0, done.err
    assert "model.tflite: " in done.out
    assert "Nothing was compiled: edgetpu_compiler is not installed." in done.out
    assert sorted(path.name for path in folder.iterdir()) == before


def test_compiled_file_lies_signed_beside_the_plain_one_and_is_used(
    own: tuple[Path, str], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_compiler(monkeypatch, tmp_path)
    folder, public = own
    done = command("edgetpu", folder)
    assert done.status == 0, done.err
    assert "Wrote 2 compiled files" in done.out
    read = load_bundle(folder, (public,))
    spec = read.manifest.live
    assert (folder / "model_edgetpu.tflite").read_bytes() == compile_for_fake(read.live_model)
    network = Network(read, spec, runtime=FakeEdgeTpu(installed_runtime()))
    assert network.on_edge_tpu
    # It goes with the archive, and signing again keeps it.
    assert command("sign", folder, "--archive", tmp_path / "out").status == 0
    assert load_bundle(folder, (public,)).compiled == read.compiled


def test_bundle_of_someone_else_is_not_changed(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_compiler(monkeypatch, tmp_path)
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "none.key"))
    shutil.copytree(model_folder(Config()), tmp_path / "theirs")
    done = command("edgetpu", tmp_path / "theirs")
    assert (done.status, "is not signed with your own key" in done.err) == (2, True)


def test_compiler_that_fails_is_quoted(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = with_compiler(monkeypatch, tmp_path, BROKEN)
    with pytest.raises(DataError, match=r"failed with 1: Internal compiler error\. Aborting!"):
        compile_model(tool, bundle.live_model)
    with pytest.raises(DataError, match="cannot be run"):
        compile_model(tmp_path / "nowhere", bundle.live_model)
