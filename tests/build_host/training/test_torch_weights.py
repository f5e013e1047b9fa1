import itertools
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from build_host.errors import DataError
from build_host.training.torch_weights import read_state_dict

MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4}}

Placed = tuple[str, int, tuple[int, ...], tuple[int, ...]]


def inside(value: object) -> bytes:
    """Return a value's opcodes, without the pickle's head and tail."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(kind: str, key: str, placed: Placed) -> bytes:
    _, offset, shape, stride = placed
    storage = (
        b"(" + inside("storage") + b"ctorch\n" + kind.encode() + b"\n" + inside(key)
        + inside("cpu") + inside(100) + b"NtQ"
    )  # fmt: skip
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + inside(offset) + inside(shape)
        + inside(stride) + b"\x89ccollections\nOrderedDict\n)RtR"
    )  # fmt: skip


def torch_file(
    tensors: dict[str, Placed], storages: dict[str, np.ndarray], state: bytes | None = None
) -> bytes:
    """Return what ``torch.save`` wrote before PyTorch 1.6, put together by hand."""
    kinds = {"f": "FloatStorage", "i": "LongStorage"}
    items = b"".join(
        inside(name) + tensor(kinds[storages[placed[0]].dtype.kind], placed[0], placed)
        for name, placed in tensors.items()
    )
    whole = state or b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, SYSTEM))
    order = pickle.dumps(list(storages), 2)
    data = b"".join(struct.pack("<q", a.size) + a.tobytes() for a in storages.values())
    return head + whole + order + data


def good_file() -> bytes:
    storages = {"1": np.arange(12, dtype="<f4"), "2": np.arange(3, dtype="<i8")}
    return torch_file({"w": ("1", 0, (3, 4), (4, 1)), "n": ("2", 1, (2,), (1,))}, storages)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], dict[str, np.ndarray]]:
    def write_and_read(content: bytes) -> dict[str, np.ndarray]:
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return read_state_dict(path)

    return write_and_read


def test_tensors_come_back_by_name_with_shape_and_type(read) -> None:
    state = read(good_file())
    assert list(state) == ["w", "n"]
    np.testing.assert_array_equal(state["w"], np.arange(12, dtype=np.float32).reshape(3, 4))
    assert state["w"].dtype == np.float32
    np.testing.assert_array_equal(state["n"], [1, 2])
    assert state["n"].dtype == np.int64


def test_a_scalar_keeps_its_empty_shape(read) -> None:
    state = read(torch_file({"n": ("1", 0, (), ())}, {"1": np.array([7], "<i8")}))
    assert state["n"].shape == ()
    assert state["n"] == 7


def test_a_transposed_tensor_is_read_as_it_was_seen(read) -> None:
    stored = np.arange(12, dtype="<f4")
    state = read(torch_file({"t": ("1", 0, (4, 3), (1, 4))}, {"1": stored}))
    np.testing.assert_array_equal(state["t"], stored.reshape(3, 4).T)


def test_tensors_that_share_a_storage_do_not_share_memory(read) -> None:
    stored = np.arange(10, dtype="<f4")
    state = read(torch_file({"a": ("1", 0, (5,), (1,)), "b": ("1", 3, (3,), (2,))}, {"1": stored}))
    np.testing.assert_array_equal(state["b"], [3, 5, 7])
    state["a"][:] = 0
    np.testing.assert_array_equal(state["b"], [3, 5, 7])


@given(
    hnp.arrays("<f4", hnp.array_shapes(max_dims=4, max_side=5), elements=st.floats(width=32)),
    st.integers(0, 3),
    st.data(),
)
@settings(max_examples=40)
def test_any_strides_that_torch_writes_are_read(tmp_path_factory, array, offset, data) -> None:
    axes = data.draw(st.permutations(range(array.ndim)))
    back = np.argsort(axes)
    laid = np.ascontiguousarray(array.transpose(axes))
    strides = tuple(laid.strides[i] // 4 for i in back)
    storage = np.concatenate([np.zeros(offset, "<f4"), laid.ravel()])
    path = tmp_path_factory.mktemp("torch") / "weights.pth"
    path.write_bytes(torch_file({"x": ("5", offset, array.shape, strides)}, {"5": storage}))
    assert read_state_dict(path)["x"].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("module", "name", "argument"),
    [
        ("os", "system", "touch {}"),
        ("posix", "system", "touch {}"),
        ("builtins", "eval", "open({!r}, 'w')"),
        ("builtins", "exec", "open({!r}, 'w')"),
        ("subprocess", "getoutput", "touch {}"),
        ("torch", "os.system", "touch {}"),
        ("torch._utils", "__builtins__", "x"),
        ("collections", "namedtuple", "x"),
    ],
)
@pytest.mark.parametrize("place", range(5))
def test_a_pickle_that_wants_anything_else_is_refused_and_not_run(
    read, tmp_path: Path, module: str, name: str, argument: str, place: int
) -> None:
    trace = tmp_path / "was-here"
    hostile = (
        b"\x80\x02c" + module.encode() + b"\n" + name.encode() + b"\n"
        + inside(argument.format(str(trace))) + b"\x85R."
    )  # fmt: skip
    parts = [pickle.dumps(part, 2) for part in (MAGIC, 1001, SYSTEM, {}, [])]
    parts[place] = hostile
    with pytest.raises(DataError, match=rf"weights.pth: .*it wants {module}"):
        read(b"".join(parts))
    assert not trace.exists()


def test_what_protocol_4_calls_a_global_is_refused_too(read, tmp_path: Path) -> None:
    trace = tmp_path / "was-here"
    hostile = b"\x80\x04\x8c\x02os\x8c\x06system\x93" + inside(f"touch {trace}") + b"\x85R."
    with pytest.raises(DataError, match="it wants os"):
        read(pickle.dumps(MAGIC, 2) + hostile)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04" + bytes(100), id="zip-of-newer-torch"),
        pytest.param(
            pickle.dumps(MAGIC + 1, 2) + good_file()[len(pickle.dumps(MAGIC, 2)) :], id="magic"
        ),
        pytest.param(b"\x80\x02K\x01)R.", id="calls-a-number"),
        pytest.param(b"\x80\x02ctorch\nFloatStorage\n)R.", id="calls-a-type"),
        pytest.param(b"\x80\x02]}b.", id="state-for-a-list"),
        pytest.param(b"\x80\x02}]K\x01s.", id="unhashable-key"),
        pytest.param(b"\x80\x02K\x05Q.", id="persistent-number"),
        pytest.param(b"\x80\x02" + inside(("module", "x", "1")) + b"Q.", id="persistent-module"),
        pytest.param(b"\x80\x04\x8e" + b"\xff" * 8 + b".", id="bytes-without-end"),
        pytest.param(torch_file({}, {}, pickle.dumps([1, 2], 2)), id="state-is-a-list"),
        pytest.param(torch_file({}, {}, pickle.dumps(3, 2)), id="state-is-a-number"),
        pytest.param(torch_file({}, {}, pickle.dumps({"w": 3}, 2)), id="tensor-is-a-number"),
        pytest.param(
            b"".join(pickle.dumps(x, 2) for x in (MAGIC, 1001, SYSTEM, {}, 5)),
            id="order-is-a-number",
        ),
        pytest.param(
            b"".join(pickle.dumps(x, 2) for x in (MAGIC, 1001, SYSTEM, {}, [[1]])),
            id="unhashable-storage",
        ),
        pytest.param(
            torch_file(
                {"w": ("1", 0, (2,), (1,))}, {"1": np.zeros(2, "<f4"), "9": np.zeros(1, "<f4")}
            ),
            id="storage-of-no-tensor",
        ),
        pytest.param(
            torch_file({"w": ("1", 0, ("a",), (1,))}, {"1": np.zeros(2, "<f4")}), id="shape-of-text"
        ),
        pytest.param(
            torch_file({"w": ("1", "0", (2,), (1,))}, {"1": np.zeros(2, "<f4")}),
            id="offset-of-text",
        ),
    ],
)
def test_what_is_no_state_dictionary_is_refused_by_name(read, content: bytes) -> None:
    with pytest.raises(DataError, match=r"weights\.pth: is not a PyTorch state dictionary"):
        read(content)


@pytest.mark.parametrize(
    "placed",
    [
        ("1", 0, (13,), (1,)),
        ("1", 1, (12,), (1,)),
        ("1", 0, (3, 4), (5, 1)),
        ("1", 12, (1,), (1,)),
        ("1", -1, (2,), (1,)),
        ("1", 11, (3,), (-1,)),
        ("1", 0, (3,), (0,)),
        ("1", 0, (0,), (1,)),
        ("1", 0, (3, 4), (1,)),
        ("1", 0, (2**40, 2**40), (2**40, 1)),
    ],
    ids=str,
)
def test_a_tensor_that_reaches_out_of_its_storage_is_refused(read, placed: Placed) -> None:
    with pytest.raises(DataError, match="is not a PyTorch state dictionary"):
        read(torch_file({"w": placed}, {"1": np.arange(12, dtype="<f4")}))


@pytest.mark.parametrize("count", [4, 2**40, 2**61, 2**63])
def test_a_storage_that_claims_more_than_the_file_holds_is_refused(read, count: int) -> None:
    content = torch_file({"w": ("1", 0, (3,), (1,))}, {"1": np.zeros(3, "<f4")})
    claimed = content[:-20] + struct.pack("<Q", count) + content[-12:]
    with pytest.raises(DataError, match="is not a PyTorch state dictionary"):
        read(claimed)


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = good_file()
    path = tmp_path / "weights.pth"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="is not a PyTorch state dictionary"):
            read_state_dict(path)


# The opcode "r" may claim gigabytes for its memo; what Python does then is its own affair.
any_bytes = st.binary(max_size=60).map(lambda content: content.replace(b"r", b"q"))


@given(any_bytes, st.integers(0, 4))
@settings(max_examples=300)
@example(b"\x80\x02K\x01)R.", 3)
def test_random_bytes_are_refused(tmp_path_factory, content: bytes, place: int) -> None:
    before = [pickle.dumps(x, 2) for x in itertools.islice((MAGIC, 1001, SYSTEM, {"w": 1}), place)]
    path = tmp_path_factory.mktemp("torch") / "weights.pth"
    path.write_bytes(b"".join(before) + content)
    with pytest.raises(DataError, match="is not a PyTorch state dictionary"):
        read_state_dict(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.pth: .*[Nn]o such file"):
        read_state_dict(tmp_path / "none.pth")
    with pytest.raises(DataError, match=str(tmp_path)):
        read_state_dict(tmp_path)
