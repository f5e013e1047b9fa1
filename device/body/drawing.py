"""What a drawing of the body map is made of, and which area of it a finger means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from device.anatomy import BodySite, BodySpot, BodyView, Laterality

Point = tuple[float, float]
Line = tuple[Point, ...]

_STEPS: Final = 6
"""Points that a curve is drawn through, to one that it is given by."""

_MIDDLE: Final = 0.02
"""Of the drawing's width: nearer to the middle of the body, a spot is on neither side."""

_NEAR: Final = 0.035
"""Of the drawing's longer side: how far beside the body a finger may come down."""

_OTHER: Final = {Laterality.LEFT: Laterality.RIGHT, Laterality.RIGHT: Laterality.LEFT}


@dataclass(frozen=True, slots=True)
class Area:
    """An area of the skin.

    Attributes
    ----------
    site
        What lies there.
    outline
        A closed line; its last point is joined to its first.
    laterality
        The patient's side, where the whole area lies on one.
    middle
        Where the middle of the body runs through an area that has a left and a right half.
    """

    site: BodySite
    outline: Line
    laterality: Laterality | None = None
    middle: float | None = None


@dataclass(frozen=True, slots=True)
class SideLetter:
    """Where it is written which of the patient's sides is shown.

    Attributes
    ----------
    laterality
        The side.
    at
        The middle of the letter.
    """

    laterality: Laterality
    at: Point


@dataclass(frozen=True, slots=True)
class Drawing:
    """One view of the body.

    Attributes
    ----------
    view
        Which one.
    width, height
        Of the sheet, in the units of all its points; x runs from its left, y from its top.
    areas
        All of the skin that can be pointed at. Where two overlap, the later one lies on top.
    contours
        Strong lines: where the body ends, or a part stands before another.
    details
        Fine lines that help to know where one is.
    letters
        Left and right.
    right_on_left
        The patient's right is on the left of the sheet, as seen from the front.
    """

    view: BodyView
    width: float
    height: float
    areas: tuple[Area, ...]
    contours: tuple[Line, ...]
    details: tuple[Line, ...]
    letters: tuple[SideLetter, ...]
    right_on_left: bool = True

    def spot_at(self, x: float, y: float) -> BodySpot | None:
        """Return the spot that a finger means, or None where it is not on the body.

        Parameters
        ----------
        x, y
            In parts of the sheet's width and height. A finger that comes down a little beside the
            body means the nearest skin.
        """
        touched = (x * self.width, y * self.height)
        for area in reversed(self.areas):
            if _holds(area.outline, touched):
                return self._spot(area, touched)
        near = [(*_nearest(area.outline, touched), area) for area in self.areas]
        distance, point, area = min(near, key=lambda found: found[0])
        if distance > _NEAR * max(self.width, self.height):
            return None
        return self._spot(area, point)

    def spots(self) -> tuple[BodySpot, ...]:
        """Return a spot of every area and side from the top down, for whoever has no finger."""
        points = [point for area in self.areas for point in _insides(area)]
        found = {self.spot_at(x / self.width, y / self.height) for x, y in points}
        one = {(spot.site, spot.laterality, round(spot.x, 1)): spot for spot in found if spot}
        return tuple(sorted(one.values(), key=lambda spot: (round(spot.y, 2), spot.x)))

    def _spot(self, area: Area, point: Point) -> BodySpot:
        x, y = point
        laterality = area.laterality
        if area.middle is not None and abs(x - area.middle) > _MIDDLE * self.width:
            is_right = (x < area.middle) == self.right_on_left
            laterality = Laterality.RIGHT if is_right else Laterality.LEFT
        return BodySpot(self.view, x / self.width, y / self.height, area.site, laterality)


class Curve:
    """A smooth line through points (a Catmull-Rom spline), of which parts can be taken."""

    def __init__(self, *points: Point) -> None:
        self._line: list[Point] = []
        ends = (points[0], *points, points[-1])
        for before, start, end, after in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
            self._line += [
                _between(before, start, end, after, step / _STEPS) for step in range(_STEPS)
            ]
        self._line.append(points[-1])

    def part(self, first: int = 0, last: int | None = None) -> Line:
        """Return the line from one of the points that it was given to another."""
        end = len(self._line) if last is None else last * _STEPS + 1
        return tuple(self._line[first * _STEPS : end])

    def back(self, first: int = 0, last: int | None = None) -> Line:
        """Return the same, from its end to its beginning."""
        return self.part(first, last)[::-1]


def curve(*points: Point) -> Line:
    """Return a smooth line through points."""
    return Curve(*points).part()


def loop(*points: Point) -> Line:
    """Return a smooth closed line through points."""
    around = Curve(points[-1], *points, points[0], points[1])
    return around.part(1, len(points) + 1)[:-1]


def ring(middle: Point, radius: float) -> Line:
    """Return a closed line about a point; its first point is its last, too."""
    around = [math.tau * i / 24 for i in range(25)]
    return tuple(
        (middle[0] + radius * math.cos(a), middle[1] + radius * math.sin(a)) for a in around
    )


def mirrored(line: Line, middle: float) -> Line:
    """Return a line as a mirror at x = `middle` shows it."""
    return tuple((2 * middle - x, y) for x, y in line)


def moved(line: Line, by: Point) -> Line:
    """Return a line at another place."""
    return tuple((x + by[0], y + by[1]) for x, y in line)


def upside_down(line: Line, height: float) -> Line:
    """Return a line on a sheet of a height, with its top at the bottom."""
    return tuple((x, height - y) for x, y in line)


def other_side(area: Area, middle: float) -> Area:
    """Return the area of the other side of a body whose middle is at x = `middle`."""
    laterality = area.laterality and _OTHER[area.laterality]
    return replace(area, outline=mirrored(area.outline, middle), laterality=laterality)


def centre(outline: Line) -> Point:
    """Return a point inside an area: its centroid, or where that is not inside, the nearest."""
    doubled = [(a[0] * b[1] - b[0] * a[1], a, b) for a, b in _edges(outline)]
    total = sum(cross for cross, _, _ in doubled)
    x = sum(cross * (a[0] + b[0]) for cross, a, b in doubled) / (3 * total)
    y = sum(cross * (a[1] + b[1]) for cross, a, b in doubled) / (3 * total)
    return (x, y) if _holds(outline, (x, y)) else _nearest(outline, (x, y))[1]


def _insides(area: Area) -> list[Point]:
    """Return points inside an area: its middle, and one on each side of the body's."""
    if area.middle is None:
        return [centre(area.outline)]
    x, y = centre(area.outline)
    aside = max(abs(px - area.middle) for px, _ in area.outline) * 0.55
    return [
        point if _holds(area.outline, point) else _nearest(area.outline, point)[1]
        for point in ((area.middle - aside, y), (x, y), (area.middle + aside, y))
    ]


def _between(before: Point, start: Point, end: Point, after: Point, share: float) -> Point:
    x, y = (
        0.5
        * (
            2 * s
            + (e - b) * share
            + (2 * b - 5 * s + 4 * e - a) * share**2
            + (3 * s - b - 3 * e + a) * share**3
        )
        for b, s, e, a in zip(before, start, end, after, strict=True)
    )
    return x, y


def _edges(outline: Line) -> list[tuple[Point, Point]]:
    return list(zip(outline, (*outline[1:], outline[0]), strict=True))


def _holds(outline: Line, point: Point) -> bool:
    x, y = point
    inside = False
    for (ax, ay), (bx, by) in _edges(outline):
        if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
            inside = not inside
    return inside


def _nearest(outline: Sequence[Point], point: Point) -> tuple[float, Point]:
    """Return how far an outline is from a point, and where it is nearest."""
    x, y = point
    found = []
    for (ax, ay), (bx, by) in zip(outline, (*outline[1:], outline[0]), strict=True):
        dx, dy = bx - ax, by - ay
        square = dx * dx + dy * dy
        share = max(0.0, min(((x - ax) * dx + (y - ay) * dy) / square, 1.0)) if square else 0.0
        near = (ax + share * dx, ay + share * dy)
        found.append((math.dist(near, point), near))
    return min(found)
