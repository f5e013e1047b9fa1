import ast
from pathlib import Path

import build_host
from build_host import run_folder
from build_host.run_folder import RunFolder


def names() -> list[str]:
    folder = RunFolder(Path("runs/run"))
    properties = [n for n, value in vars(RunFolder).items() if isinstance(value, property)]
    return [getattr(folder, n).name for n in properties]


def test_every_file_has_a_name_of_its_own() -> None:
    assert len(set(names())) == len(names())


def test_no_other_module_knows_a_name() -> None:
    # What a bundle holds is the device's to name.
    own = set(names()) - {"model.tflite", "metrics.json", "cache"}
    root = Path(build_host.__file__).parent
    for path in root.rglob("*.py"):
        if path == Path(run_folder.__file__):
            continue
        constants = {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not own & constants, path


def test_the_first_worker_owns_the_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.of_worker(0) == folder
    assert folder.of_worker(2).path == tmp_path / "worker-2"
    assert folder.of_worker(2).weights != folder.weights
