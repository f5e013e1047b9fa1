"""Reading a PyTorch state dictionary without PyTorch, and without running its pickles.

The layout is the one that ``torch.save`` wrote before PyTorch 1.6: three small pickles, the
pickled dictionary whose tensors name their storages, the list of storages, and their bytes.
"""

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from build_host.errors import DataError

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_DTYPES: Final = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Return the named tensors of a PyTorch state dictionary.

    The file's pickles can create nothing but a dictionary of tensors: anything else in them is
    refused, never called.

    Raises
    ------
    build_host.errors.DataError
        If the file is missing or does not have this layout.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:  # hostile pickles fail in more ways than the module documents
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: is not a PyTorch state dictionary ({reason})") from None


def _read(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    if _Unpickler(file).load() != _MAGIC:
        raise ValueError("wrong magic number")
    _Unpickler(file).load()
    _Unpickler(file).load()
    state = _Unpickler(file).load()
    order = _Unpickler(file).load()
    wanted: dict[str, np.dtype[Any]] = {t.key: t.dtype for t in state.values()}
    storages: dict[str, NDArray[Any]] = {}
    size = os.fstat(file.fileno()).st_size
    for key in order:
        count = int.from_bytes(file.read(8), "little")
        dtype = wanted[key]
        left = size - file.tell()
        if count * dtype.itemsize > left:
            raise ValueError(f"a storage claims {count} numbers, of which the file lacks some")
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    return {name: tensor.of(storages[tensor.key]) for name, tensor in state.items()}


class _Tensor:
    """A tensor whose storage has not been read yet."""

    def __init__(
        self, storage: tuple[Any, ...], offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
    ) -> None:
        _, self.dtype, self.key = storage[:3]
        self._offset, self._shape, self._stride = offset, tuple(shape), tuple(stride)

    def of(self, storage: NDArray[Any]) -> NDArray[Any]:
        steps = zip(self._shape, self._stride, strict=True)
        last = self._offset + sum((n - 1) * step for n, step in steps)
        if min((*self._shape, *self._stride, self._offset + 1), default=1) < 1:
            raise ValueError("a tensor is empty or runs backwards")
        if last >= len(storage):
            raise ValueError("a tensor reaches past its storage")
        bytes_apart = [step * self.dtype.itemsize for step in self._stride]
        view = np.lib.stride_tricks.as_strided(storage[self._offset :], self._shape, bytes_apart)
        return view.copy()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, stride, *_: _Tensor(
                storage, offset, shape, stride
            )
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it wants {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"it refers to {kind}")
        return kind, dtype, key
