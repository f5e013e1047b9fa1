"""Colour profiles as cameras and programs embed them, made by hand: ICC.1, version 2."""

import struct

_GAMMA = 2.19921875


def profile(primaries: tuple[tuple[float, float, float], ...], curve: bytes) -> bytes:
    """Return a profile of three primaries, in XYZ under D50, and one tone curve."""
    tags = {
        b"wtpt": _xyz((0.96420, 1.0, 0.82491)),
        **{n: _xyz(p) for n, p in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    return _file(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """Return a profile of grey."""
    return _file(b"GRAY", {b"wtpt": _xyz((0.96420, 1.0, 0.82491)), b"kTRC": _gamma(gamma)})


def _file(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s28sIII48x", at + len(body), bytes(4), 0x02400000, b"mntr", space, b"XYZ ",
        bytes(12), b"acsp", bytes(28), 0xF6D6, 0x10000, 0xD32D,
    )  # fmt: skip
    return header[:128] + table + body


def _xyz(value: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in value))


def _gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256)) + bytes(2)


def _srgb_curve() -> bytes:
    levels = (i / 1023 for i in range(1024))
    linear = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels)
    return b"curv" + bytes(4) + struct.pack(">I1024H", 1024, *(round(v * 65535) for v in linear))


SRGB = profile(
    ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)),
    _srgb_curve(),
)
DISPLAY_P3 = profile(
    ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
    _srgb_curve(),
)
ADOBE_RGB = profile(
    ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
    _gamma(_GAMMA),
)
