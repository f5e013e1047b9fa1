import hashlib
import io
import pickle
import tracemalloc
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from device.cli import main
from device.console import print_finding
from device.diagnoses import CODES, Code
from device.errors import BundleError
from device.frame import Frame, SourceKind
from device.imaging.preprocessing import resize_to_input
from device.inference.analyzer import Analyzer
from device.inference.finding import from_record, to_record
from device.inference.network import Network
from device.inference.similar_cases import NEIGHBOURS, SimilarCases, encode_cases
from device.models.bundle import MANIFEST_FILE, Bundle, load_bundle
from device.models.manifest import CAPTURED_FILE, MODEL_FILE, Manifest
from device.models.manifest import SimilarCases as Section
from device.records.encrypted_archive import EncryptedArchive
from tests.device.bundles import plain_manifest, sign_bundle
from tests.device.commands import Capture, complaint, records
from tests.device.models.two_networks import shipped_bundle, two_networks

INDEX_FILE = "similar-cases.npz"
LESIONS = 60


def embedding_of(bundle: Bundle) -> dict[str, Any]:
    """Return an output of the shipped network that serves as an embedding: its features."""
    outputs: dict[str, Any] = plain_manifest(bundle)["live"]["outputs"]
    whitened: dict[str, Any] = outputs["whitened"]
    return whitened


def drawn_cases(
    dimensions: int, lesions: int = LESIONS
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return vectors of any length in every direction, and a diagnosis of each."""
    random = np.random.default_rng(4)
    vectors = random.normal(size=(lesions, dimensions)) * random.uniform(0.01, 50, (lesions, 1))
    return vectors.astype(np.float32), np.arange(lesions) % len(CODES)


def indexed(
    bundle: Bundle, content: bytes, lesions: int = LESIONS, dimensions: int | None = None
) -> Bundle:
    """Return the shipped bundle with an index, its manifest checked as if it had been read."""
    plain = with_index(plain_manifest(bundle), bundle, content, lesions, dimensions)
    return replace(bundle, manifest=msgspec.convert(plain, Manifest), similar_cases=content)


def with_index(
    plain: dict[str, Any], bundle: Bundle, content: bytes, lesions: int = LESIONS,
    dimensions: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return a manifest that names an index, and an embedding as large, of its captured network."""
    embedding = embedding_of(bundle)
    network = "captured" if plain["captured"] else "live"
    outputs = plain[network]["outputs"] | {"embedding": embedding}
    section = {
        "file": INDEX_FILE,
        "sha256": hashlib.sha256(content).hexdigest(),
        "lesions": lesions,
        "dimensions": dimensions or embedding["shape"][0],
    }
    changed: dict[str, Any] = plain[network] | {"outputs": outputs}
    return plain | {network: changed, "similar_cases": section}


@pytest.fixture(scope="module")
def dimensions(bundle: Bundle) -> int:
    return int(embedding_of(bundle)["shape"][0])


@pytest.fixture(scope="module")
def content(dimensions: int) -> bytes:
    return encode_cases(*drawn_cases(dimensions))


@pytest.fixture(scope="module")
def finder(bundle: Bundle, content: bytes) -> Analyzer:
    """An analyzer of the shipped network with an index of drawn cases."""
    return Analyzer(indexed(bundle, content))


def signed(folder: Path, bundle: Bundle, content: bytes) -> str:
    manifest = with_index(plain_manifest(bundle), bundle, content)
    return sign_bundle(folder, manifest, {MODEL_FILE: bundle.live_model, INDEX_FILE: content})


def refusal(folder: Path, key: str) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, (key,))
    message = str(caught.value)
    assert str(folder) in message
    assert len(message.splitlines()) == 1
    return message


# The index itself


def test_nearest_neighbours_are_those_of_the_vectors_that_were_kept(
    bundle: Bundle, content: bytes, dimensions: int
) -> None:
    vectors, diagnoses = drawn_cases(dimensions)
    cases = SimilarCases(indexed(bundle, content))
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    random = np.random.default_rng(5)
    for row in range(LESIONS):
        noise = random.normal(size=dimensions).astype(np.float32)
        seen = directions[row] + 0.05 * noise / np.linalg.norm(noise)
        # However long it is: only directions are compared.
        for length in (1e-3, 1.0, 1e3):
            found = cases.nearest(length * seen)
            assert len(found) == NEIGHBOURS
            assert found[0] == CODES[diagnoses[row]]
        order = np.argsort(-(directions @ seen))
        assert cases.nearest(seen, 1) == (CODES[diagnoses[order[0]]],)
        wanted = Counter(CODES[diagnoses[i]] for i in order[:NEIGHBOURS])
        # Eight bits may swap two that are as far away.
        assert (Counter(cases.nearest(seen)) & wanted).total() >= NEIGHBOURS - 2


def test_likest_come_first_and_no_more_than_there_are(bundle: Bundle, dimensions: int) -> None:
    axes = np.eye(dimensions, dtype=np.float32)[:3] * [[2.0], [300.0], [0.004]]
    content = encode_cases(axes.astype(np.float32), np.array([4, 0, 6]))
    cases = SimilarCases(indexed(bundle, content, lesions=3))
    seen = np.zeros(dimensions, np.float32)
    seen[:3] = 0.2, 0.1, 0.9
    assert cases.nearest(seen) == (Code.VASC, Code.MEL, Code.AKIEC)
    assert cases.nearest(-seen) == (Code.AKIEC, Code.MEL, Code.VASC)
    assert cases.nearest(seen, 2) == (Code.VASC, Code.MEL)


def test_vector_of_nothing_is_like_none_and_harms_nobody(bundle: Bundle, dimensions: int) -> None:
    vectors, diagnoses = drawn_cases(dimensions)
    vectors[0] = 0.0
    cases = SimilarCases(indexed(bundle, encode_cases(vectors, diagnoses)))
    assert len(cases.nearest(np.zeros(dimensions, np.float32))) == NEIGHBOURS
    assert cases.nearest(vectors[1], 1) == (CODES[diagnoses[1]],)


def test_index_is_small_and_no_pickle(content: bytes, dimensions: int) -> None:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert {name: (a.dtype, a.shape) for name, a in arrays.items()} == {
            "vectors": (np.dtype(np.int8), (LESIONS, dimensions)),
            "diagnoses": (np.dtype(np.uint8), (LESIONS,)),
        }
    assert len(content) < LESIONS * (dimensions + 1) + 1024


def archive(**arrays: Any) -> bytes:
    kept = io.BytesIO()
    np.savez(kept, **arrays)
    return kept.getvalue()


def array(values: NDArray[Any]) -> bytes:
    kept = io.BytesIO()
    np.save(kept, values)
    return kept.getvalue()


def claiming(size: int) -> bytes:
    """Return an archive of an array that says it is larger than it is."""
    header = io.BytesIO()
    claim = {"descr": "|i1", "fortran_order": False, "shape": (size,)}
    np.lib.format.write_array_header_1_0(header, claim)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as kept:
        kept.writestr("vectors.npy", header.getvalue())
    return written.getvalue()


def spoilt(kind: str, content: bytes, dimensions: int) -> bytes:
    """Return an index that is not as its manifest says."""
    vectors = np.ones((LESIONS, dimensions), np.int8)
    diagnoses = np.zeros(LESIONS, np.uint8)
    objects = np.array([b"", 1] * (LESIONS // 2), object)
    return {
        "vectors of another type": lambda: archive(
            vectors=vectors.astype(np.float32), diagnoses=diagnoses
        ),
        "fewer vectors": lambda: archive(vectors=vectors[1:], diagnoses=diagnoses),
        "shorter vectors": lambda: archive(vectors=vectors[:, 1:], diagnoses=diagnoses),
        "vectors in a row": lambda: archive(vectors=vectors.ravel(), diagnoses=diagnoses),
        "diagnoses of another type": lambda: archive(
            vectors=vectors, diagnoses=diagnoses.astype(np.int64)
        ),
        "fewer diagnoses": lambda: archive(vectors=vectors, diagnoses=diagnoses[1:]),
        "an eighth diagnosis": lambda: archive(vectors=vectors, diagnoses=diagnoses + np.uint8(7)),
        "no vectors": lambda: archive(diagnoses=diagnoses),
        "no diagnoses": lambda: archive(vectors=vectors),
        "pickled diagnoses": lambda: archive(vectors=vectors, diagnoses=objects),
        "a pickle": lambda: pickle.dumps({"vectors": vectors, "diagnoses": diagnoses}),
        "one array": lambda: array(vectors),
        "nothing": lambda: b"",
        "a letter": lambda: b"this is a letter, not an index\n",
        "half": lambda: content[: len(content) // 2],
        "all but its last byte": lambda: content[:-1],
        "its first bytes": lambda: content[:4],
        "a claim of a terabyte": lambda: claiming(1 << 40),
        "a byte changed": lambda: content[:200] + bytes([content[200] ^ 1]) + content[201:],
    }[kind]()


READABLE = (
    "vectors of another type", "fewer vectors", "shorter vectors", "vectors in a row",
    "diagnoses of another type", "fewer diagnoses", "an eighth diagnosis",
)  # fmt: skip
UNREADABLE = (
    "no vectors", "no diagnoses", "pickled diagnoses", "a pickle", "one array", "nothing",
    "a letter", "half", "all but its last byte", "its first bytes", "a byte changed",
    "a claim of a terabyte",
)  # fmt: skip


@pytest.mark.parametrize("kind", [*READABLE, *UNREADABLE])
def test_index_that_is_not_as_the_manifest_says_is_refused_in_one_line(
    bundle: Bundle, content: bytes, dimensions: int, kind: str
) -> None:
    spoilt_bundle = indexed(bundle, spoilt(kind, content, dimensions))
    with pytest.raises(BundleError) as caught:
        Analyzer(spoilt_bundle)
    message = str(caught.value)
    assert message.startswith(f"{bundle.folder}: {INDEX_FILE} ")
    assert len(message.splitlines()) == 1
    assert ("cannot be read" in message) == (kind in UNREADABLE)
    assert ("not as the manifest says" in message) == (kind in READABLE)


def test_small_index_of_large_arrays_takes_no_memory(bundle: Bundle) -> None:
    written = io.BytesIO()
    np.savez_compressed(written, vectors=np.zeros((1 << 18, 1 << 10), np.int8))
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="cannot be read"):
            SimilarCases(indexed(bundle, written.getvalue()))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("error")
def test_refused_pickle_is_never_run(bundle: Bundle, dimensions: int, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    traps = np.array([Trap()] * LESIONS, object)
    vectors = np.ones((LESIONS, dimensions), np.int8)
    for kept in (archive(vectors=vectors, diagnoses=traps), pickle.dumps(Trap())):
        with pytest.raises(BundleError):
            SimilarCases(indexed(bundle, kept))
    assert not (tmp_path / "sprung").exists()


# In a bundle


def test_bundle_with_an_index_is_loaded_with_the_bytes_that_were_signed(
    tmp_path: Path, bundle: Bundle, content: bytes, dimensions: int
) -> None:
    key = signed(tmp_path, bundle, content)
    loaded = load_bundle(tmp_path, (key,))
    assert loaded.similar_cases == content
    assert loaded.manifest.similar_cases == Section(
        file=INDEX_FILE, sha256=hashlib.sha256(content).hexdigest(), lesions=LESIONS,
        dimensions=dimensions,
    )  # fmt: skip
    Analyzer(loaded)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_one_byte_changed_in_the_index_is_told_as_such(
    tmp_path: Path, bundle: Bundle, content: bytes, share: float
) -> None:
    key = signed(tmp_path, bundle, content)
    changed = bytearray(content)
    changed[int(share * (len(content) - 1))] ^= 1
    (tmp_path / INDEX_FILE).write_bytes(changed)
    message = refusal(tmp_path, key)
    assert INDEX_FILE in message
    assert "SHA-256 differs" in message


def test_index_of_another_bundle_longer_or_missing_is_refused(
    tmp_path: Path, bundle: Bundle, content: bytes, dimensions: int
) -> None:
    key = signed(tmp_path, bundle, content)
    path = tmp_path / INDEX_FILE
    vectors, diagnoses = drawn_cases(dimensions)
    for other in (encode_cases(vectors, diagnoses[::-1]), content + b"\0", b""):
        path.write_bytes(other)
        assert "SHA-256 differs" in refusal(tmp_path, key)
    path.unlink()
    assert f"{INDEX_FILE} is missing" in refusal(tmp_path, key)


def test_file_that_the_manifest_does_not_name_is_not_read(
    tmp_path: Path, bundle: Bundle, content: bytes
) -> None:
    plain = plain_manifest(bundle) | {"similar_cases": None}
    key = sign_bundle(tmp_path, plain, {MODEL_FILE: bundle.live_model, INDEX_FILE: content})
    assert load_bundle(tmp_path, (key,)).similar_cases == b""


def test_manifest_refuses_an_index_without_an_embedding_of_its_size(
    tmp_path: Path, bundle: Bundle, content: bytes, dimensions: int
) -> None:
    plain = with_index(plain_manifest(bundle), bundle, content)
    no_embedding = plain["live"] | {"outputs": plain["live"]["outputs"] | {"embedding": None}}
    larger = with_index(plain_manifest(bundle), bundle, content, LESIONS, dimensions + 1)
    files = {MODEL_FILE: bundle.live_model, INDEX_FILE: content}
    for name, changed in (("none", plain | {"live": no_embedding}), ("larger", larger)):
        message = refusal(tmp_path / name, sign_bundle(tmp_path / name, changed, files))
        assert f"{MANIFEST_FILE} cannot be understood" in message
        assert "similar_cases wants an embedding of its size" in message


def test_embedding_is_to_be_that_of_the_network_of_captured_pictures(
    tmp_path: Path, bundle: Bundle, content: bytes
) -> None:
    small = shipped_bundle("paper-28")
    # The larger network, which has one, is for the live view here.
    plain = with_index(plain_manifest(bundle), bundle, content)
    mixed = two_networks(bundle, small)
    wrong = mixed | {"live": plain["live"] | {"case_mixes": []}}
    wrong["similar_cases"] = plain["similar_cases"]
    files = {
        MODEL_FILE: bundle.live_model, CAPTURED_FILE: small.live_model, INDEX_FILE: content,
    }  # fmt: skip
    message = refusal(tmp_path / "wrong", sign_bundle(tmp_path / "wrong", wrong, files))
    assert "similar_cases wants an embedding" in message
    right = with_index(two_networks(small, bundle), bundle, content)
    files = {
        MODEL_FILE: small.live_model, CAPTURED_FILE: bundle.live_model, INDEX_FILE: content,
    }  # fmt: skip
    key = sign_bundle(tmp_path / "right", right, files)
    Analyzer(load_bundle(tmp_path / "right", (key,)))


@pytest.mark.parametrize(
    "name", ["../similar-cases.npz", "similar-cases.npy", "Similar.npz", "/etc/cases.npz", ""]
)
def test_index_lies_in_the_bundles_folder_alone(
    tmp_path: Path, bundle: Bundle, content: bytes, name: str
) -> None:
    plain = with_index(plain_manifest(bundle), bundle, content)
    plain["similar_cases"]["file"] = name
    key = sign_bundle(tmp_path, plain, {MODEL_FILE: bundle.live_model, INDEX_FILE: content})
    assert "similar_cases.file" in refusal(tmp_path, key)


# What it finds, on its way to a person


def test_similar_cases_are_found_for_a_captured_picture_alone(
    finder: Analyzer, frames: tuple[Frame, ...]
) -> None:
    for frame in frames:
        _, captured = finder.analyze_burst([frame])
        assert len(captured.similar) == NEIGHBOURS
        assert finder.analyze(frame, as_captured=True).similar == captured.similar
        assert finder.analyze(frame).similar == ()
        assert finder.analyze_live(frame).similar == ()
    found = {finder.analyze(frame, as_captured=True).similar for frame in frames}
    assert len(found) > 1


def test_bundle_without_an_index_finds_none(analyzer: Analyzer, frames: tuple[Frame, ...]) -> None:
    assert analyzer.analyze_burst(frames[:1])[1].similar == ()


def test_nearest_of_a_picture_are_those_of_the_networks_own_output(
    bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    """An index of the demonstration itself: each of its pictures finds itself."""
    network = Network(bundle, bundle.manifest.live)
    own = [network.run(resize_to_input(f.pixels, bundle.manifest.live.input)) for f in frames]
    vectors = np.array([o.whitened for o in own], np.float32)
    diagnoses = np.arange(len(frames)) % len(CODES)
    content = encode_cases(vectors, diagnoses)
    analyzer = Analyzer(indexed(bundle, content, lesions=len(frames)))
    for row, frame in enumerate(frames):
        found = analyzer.analyze_burst([frame])[1].similar
        assert found[0] == CODES[diagnoses[row]]
        assert len(found) == min(NEIGHBOURS, len(frames))


def test_record_keeps_them_and_gives_them_back(
    finder: Analyzer, frames: tuple[Frame, ...], tmp_path: Path
) -> None:
    frame = replace(frames[1], kind=SourceKind.CAMERA)
    finding = finder.analyze_burst([frame])[1]
    record = to_record(finding, "a.jpg", [])
    assert record.similar == list(finding.similar)
    plain = msgspec.json.decode(msgspec.json.encode(record))
    assert plain["similar"] == [str(code) for code in finding.similar]
    assert from_record(record, finding.field).similar == finding.similar
    kept = EncryptedArchive(tmp_path)
    identifier = kept.keep(frame, finding, [], None)
    assert kept.read(identifier).record.finding.similar == list(finding.similar)


def test_text_counts_them_the_commonest_first(
    finder: Analyzer, frames: tuple[Frame, ...], capsys: Capture
) -> None:
    record = to_record(finder.analyze_burst(frames[:1])[1], "lesion.png", [])
    shown = {
        (Code.NV, Code.MEL, Code.NV, Code.NV, Code.BKL, Code.MEL): (
            "Of the 6 most similar lesions: 3 Melanocytic naevus, 2 Melanoma, "
            "1 Seborrhoeic keratosis / lentigo. Quality:"
        ),
        (Code.DF,): "Of the 1 most similar lesions: 1 Dermatofibroma. Quality:",
    }
    for similar, told in shown.items():
        print_finding(msgspec.structs.replace(record, similar=list(similar)), finder.manifest)
        assert told in capsys.readouterr().out
    print_finding(msgspec.structs.replace(record, similar=[]), finder.manifest)
    assert "similar" not in capsys.readouterr().out


def test_analyze_tells_them_as_text_and_as_json(
    tmp_path: Path, bundle: Bundle, content: bytes, photo: Path, capsys: Capture
) -> None:
    small = shipped_bundle("paper-28")
    manifest = with_index(two_networks(small, bundle), bundle, content)
    files = {
        MODEL_FILE: small.live_model, CAPTURED_FILE: bundle.live_model, INDEX_FILE: content,
    }  # fmt: skip
    key = sign_bundle(tmp_path / "bundle", manifest, files)
    config = tmp_path / "config.toml"
    config.write_text(f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n')
    assert main(["--config", str(config), "analyze", "--json", str(photo)]) == 0
    (record,) = records(capsys.readouterr().out)
    assert len(record.similar) == NEIGHBOURS
    assert main(["--config", str(config), "analyze", str(photo)]) == 0
    told = f"Of the {NEIGHBOURS} most similar lesions: "
    most, count = Counter(record.similar).most_common(1)[0]
    name = next(c.names["en"] for c in bundle.manifest.classes if c.code == most)
    assert f"{told}{count} {name}" in capsys.readouterr().out
    (tmp_path / "bundle" / INDEX_FILE).write_bytes(b"")
    assert main(["--config", str(config), "analyze", "--json", str(photo)]) == 2
    assert "SHA-256 differs" in complaint(capsys)
