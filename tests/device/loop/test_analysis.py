"""The analysis's thread with the shipped model, given work by hand."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from device.capture.frame import Frame
from device.diagnoses import Code
from device.imaging.field import FieldOfView
from device.inference.analyzer import Analyzer, code_to_explain
from device.inference.bundle import Bundle
from device.inference.finding import SaliencyMap
from device.loop.analysis import FAILED, Analysis, Wish
from device.loop.latest import Latest
from device.loop.trouble import Trouble
from device.loop.work import Burst, Explain, Seen, Taken, Work
from device.records.store import FolderRecords
from device.service import Heartbeat, Notifier
from tests.device.bundles import analyzer_with
from tests.device.clinic import GIVE_UP_SECONDS


class Room:
    """An analysis at work, and what it is given and tells."""

    def __init__(self, analyzer: Analyzer, records: FolderRecords) -> None:
        self.work: Latest[Work] = Latest()
        self.marks = 0
        self.seen: list[FieldOfView] = []
        heartbeat = Heartbeat(Notifier({}))
        mark = heartbeat.mark

        def counted(part: str) -> None:
            self.marks += part == "analysis"
            mark(part)

        heartbeat.mark = counted  # type: ignore[method-assign, assignment]
        self.analysis = Analysis(analyzer, self.work, heartbeat, self.seen.append, records)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.analysis.run, args=(self.stop,))

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.005)

    def taken(self, condition: Callable[[Taken], object] = lambda taken: True) -> Taken:
        """Wait for a picture of which something is true."""
        self.until(lambda: (t := self.analysis.taken.peek()) is not None and condition(t))
        taken = self.analysis.taken.peek()
        assert taken is not None
        return taken

    def explains(self, code: Code) -> Callable[[Taken], bool]:
        def does(taken: Taken) -> bool:
            saliency = taken.judged.finding.saliency if taken.judged else None
            return saliency is not None and saliency.code == code

        return does


@pytest.fixture
def records(tmp_path: Path) -> FolderRecords:
    return FolderRecords(tmp_path / "examinations")


@pytest.fixture
def room(occluding: Analyzer, records: FolderRecords) -> Iterator[Room]:
    room = Room(occluding, records)
    room.thread.start()
    yield room
    alive = room.thread.is_alive()
    room.stop.set()
    room.thread.join(GIVE_UP_SECONDS)
    assert alive


def test_live_frame_gets_its_own_finding_and_its_field_is_told(
    room: Room, occluding: Analyzer, frames: tuple[Frame, ...]
) -> None:
    room.work.put(Seen(frames[0], 0.25))
    room.until(room.analysis.judged.peek)
    judged = room.analysis.judged.peek()
    assert judged is not None
    assert judged.frame is frames[0]
    assert judged.finding.quality.motion == 0.25
    assert judged.finding.probabilities == occluding.analyze(frames[0]).probabilities
    assert room.seen == [judged.finding.field]


def test_burst_is_judged_shown_and_kept_once(
    room: Room, records: FolderRecords, frames: tuple[Frame, ...]
) -> None:
    room.work.put(Burst(4, (frames[0], frames[0])))
    taken = room.taken(lambda t: t.kept is not None)
    assert (taken.press, taken.kept) == (4, True)
    assert taken.judged is not None
    (identifier,) = records.identifiers()
    kept = records.read(identifier)
    np.testing.assert_array_equal(kept.image, taken.judged.frame.pixels)
    said = tuple(kept.record.finding.probabilities.values())
    assert said == taken.judged.finding.probabilities
    room.until(lambda: room.analysis.progress is None)


def test_burst_without_a_frame_is_answered_with_what_was_wrong(
    room: Room, records: FolderRecords
) -> None:
    trouble = Trouble("the camera was unplugged; plug it in again")
    room.work.put(Burst(5, (), trouble))
    taken = room.taken()
    assert (taken.press, taken.judged, taken.trouble) == (5, None, trouble)
    assert records.identifiers() == []


def test_burst_that_cannot_be_judged_is_answered_with_what_was_wrong(
    room: Room, frames: tuple[Frame, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.analysis._analyzer, "analyze_burst", _fails)
    room.work.put(Burst(6, frames[:1]))
    taken = room.taken()
    assert (taken.press, taken.judged) == (6, None)
    assert taken.trouble is not None
    assert taken.trouble.words == FAILED


def test_whatever_keeps_an_examination_from_the_disk_is_told_and_the_picture_stays(
    room: Room, records: FolderRecords, frames: tuple[Frame, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "keep", _fails)
    room.work.put(Burst(1, frames[:1]))
    taken = room.taken(lambda t: t.kept is not None)
    assert taken.kept is False
    assert taken.judged is not None
    assert room.analysis.record_trouble is not None
    assert room.analysis.trouble is None


def test_picture_stays_where_only_its_explanation_fails(
    room: Room, records: FolderRecords, frames: tuple[Frame, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.analysis._analyzer, "explain", _fails)
    room.analysis.wish = Wish(overlay=True)
    room.work.put(Burst(1, frames[:1]))
    room.until(lambda: room.analysis.trouble)
    taken = room.taken()
    assert taken.judged is not None
    assert taken.kept is True
    assert len(records.identifiers()) == 1
    # The overlay is switched off again.
    room.analysis.wish = Wish(overlay=False)
    room.work.put(Explain(None))
    room.until(lambda: room.analysis.trouble is None)
    assert room.taken().judged is taken.judged


def test_taken_picture_is_explained_as_wished(room: Room, frames: tuple[Frame, ...]) -> None:
    room.analysis.wish = Wish(overlay=True)
    room.work.put(Burst(1, frames[:1]))
    taken = room.taken(lambda t: t.judged and t.judged.finding.saliency)
    assert taken.judged is not None
    assert room.explains(code_to_explain(taken.judged.finding.probabilities))(taken)
    room.analysis.wish = Wish(overlay=True, code="vasc")
    room.work.put(Explain("vasc"))
    room.taken(room.explains("vasc"))


def test_taken_picture_is_seen_with_the_models_own_map_first_and_the_better_one_after(
    tmp_path: Path, bundle: Bundle, records: FolderRecords, frames: tuple[Frame, ...]
) -> None:
    analyzer = analyzer_with(bundle, tmp_path / "rise", saliency={"frozen": "rise", "masks": 40})
    room = Room(analyzer, records)
    methods: list[str] = []
    put = room.analysis.taken.put

    def noted(taken: Taken) -> None:
        saliency = taken.judged.finding.saliency if taken.judged else None
        methods.append(saliency.method if saliency else "")
        put(taken)

    room.analysis.taken.put = noted  # type: ignore[method-assign]
    room.analysis.wish = Wish(overlay=True)
    room.thread.start()
    try:
        room.work.put(Seen(frames[0]))
        room.until(room.analysis.judged.peek)
        live = room.analysis.judged.peek()
        room.work.put(Burst(1, frames[:1]))
        room.until(lambda: "rise" in methods)
    finally:
        room.stop.set()
        room.thread.join(GIVE_UP_SECONDS)
    assert live is not None
    assert live.finding.saliency is not None
    assert live.finding.saliency.method == "class-activation-map"
    assert methods == ["class-activation-map"] * 2 + ["rise"]


def test_live_view_does_not_wait_for_the_map_of_a_picture_that_was_let_go(
    tmp_path: Path, bundle: Bundle, records: FolderRecords, frames: tuple[Frame, ...]
) -> None:
    analyzer = analyzer_with(bundle, tmp_path / "rise", saliency={"frozen": "rise", "masks": 4000})
    room = Room(analyzer, records)
    explain, passes = analyzer.explain, []

    def lets_go(
        frame: Frame, code: Code, done: Callable[[], None], *, frozen: bool = False
    ) -> SaliencyMap:
        def step() -> None:
            passes.append(frozen)
            if len(passes) == 5:
                room.work.put(Seen(frames[1]))
            done()

        return explain(frame, code, step, frozen=frozen)

    analyzer.explain = lets_go  # type: ignore[method-assign]
    room.analysis.wish = Wish(overlay=True)
    room.thread.start()
    try:
        room.work.put(Burst(1, frames[:1]))
        room.until(lambda: (j := room.analysis.judged.peek()) and j.frame is frames[1])
    finally:
        room.stop.set()
        room.thread.join(GIVE_UP_SECONDS)
    assert passes == [True] * 5


def test_wish_that_changes_while_the_picture_is_judged_is_met(
    room: Room, frames: tuple[Frame, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    explain = room.analysis._analyzer.explain

    def changes_his_mind(
        frame: Frame, code: Code, *rest: object, frozen: bool = False
    ) -> SaliencyMap:
        room.analysis.wish = Wish(overlay=True, code="df")
        if room.analysis.taken.peek() is not None:
            # The screen asks for another map of a picture that it has, and of no other.
            room.work.put(Explain("df"))
        return explain(frame, code)

    monkeypatch.setattr(room.analysis._analyzer, "explain", changes_his_mind)
    room.analysis.wish = Wish(overlay=True, code="mel")
    room.work.put(Burst(1, frames[:1]))
    room.taken(room.explains("df"))


def counting_passes(
    room: Room, monkeypatch: pytest.MonkeyPatch, at_the_fifth: Callable[[], None]
) -> dict[Code, int]:
    """Do something at a map's fifth pass; return how many passes each diagnosis's map has had."""
    explain = room.analysis._analyzer.explain
    passes: dict[Code, int] = {}

    def counted(
        frame: Frame, code: Code, done: Callable[[], None], *, frozen: bool = False
    ) -> SaliencyMap:
        def step() -> None:
            passes[code] = passes.get(code, 0) + 1
            if sum(passes.values()) == 5:
                at_the_fifth()
            done()

        return explain(frame, code, step, frozen=frozen)

    monkeypatch.setattr(room.analysis._analyzer, "explain", counted)
    return passes


def test_shutter_does_not_wait_for_a_map(
    room: Room, frames: tuple[Frame, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = counting_passes(room, monkeypatch, lambda: room.work.put(Burst(1, frames[:1])))
    analyze_burst, before = room.analysis._analyzer.analyze_burst, []

    def noted(*given: object) -> object:
        before.append(sum(passes.values()))
        return analyze_burst(*given)

    monkeypatch.setattr(room.analysis._analyzer, "analyze_burst", noted)
    room.analysis.wish = Wish(overlay=True, code="mel")
    room.work.put(Seen(frames[0]))
    # The picture that was taken is explained all the same, after it is seen and kept.
    taken = room.taken(room.explains("mel"))
    assert taken.kept
    assert before == [5]


def test_map_that_nobody_wants_any_more_is_given_up(
    room: Room, frames: tuple[Frame, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def another() -> None:
        room.analysis.wish = Wish(overlay=True, code="vasc")

    passes = counting_passes(room, monkeypatch, another)
    room.analysis.wish = Wish(overlay=True, code="mel")
    room.work.put(Seen(frames[0]))
    room.until(lambda: (j := room.analysis.judged.peek()) and j.finding.saliency)
    assert passes["mel"] == 5
    assert passes["vasc"] > 100


def test_watchdog_hears_of_every_pass_of_a_map(
    room: Room, occluding: Analyzer, frames: tuple[Frame, ...]
) -> None:
    marks = room.marks
    room.analysis.wish = Wish(overlay=True)
    room.work.put(Seen(frames[0]))
    room.until(lambda: (j := room.analysis.judged.peek()) and j.finding.saliency)
    assert occluding.manifest.saliency.method == "occlusion"
    assert room.marks - marks > 100


def test_analysis_that_fails_at_every_frame_does_not_fill_the_log(
    room: Room,
    frames: tuple[Frame, ...],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wait, pauses = room.stop.wait, []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return wait(GIVE_UP_SECONDS)

    monkeypatch.setattr(room.stop, "wait", pause)
    monkeypatch.setattr(room.analysis._analyzer, "follow", _fails)
    with caplog.at_level(logging.ERROR):
        room.work.put(Seen(frames[0]))
        room.until(lambda: pauses)
        # As long as it pauses, frames come and go unseen.
        for _ in range(5):
            room.work.put(Seen(frames[0]))
    assert room.analysis.trouble is not None
    assert len(caplog.records) == 1
    assert pauses == [pytest.approx(1.0, abs=0.5)]


def _fails(*given: object, **named: object) -> None:
    raise RuntimeError("no tensor")
