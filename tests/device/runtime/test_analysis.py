"""The analysis's thread with the shipped model, given work by hand."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from device.diagnoses import Code
from device.faults import Fault
from device.frame import Frame
from device.imaging.field_of_view import FieldOfView
from device.inference.analyzer import Analyzer, likeliest_malignant
from device.inference.finding import Finding, NoCallReason, SaliencyMap
from device.models.bundle import Bundle
from device.platform.clock import Clock
from device.runtime import analysis
from device.runtime.analysis import FAILED, NOT_JUDGED, Analysis
from device.runtime.health import FAILURES, Health, Part, PartState
from device.runtime.inbox import Inbox
from device.runtime.messages import (
    Burst,
    Capture,
    ExplainCapture,
    KeepExamination,
    LiveFrame,
    OverlayRequest,
    Shot,
)
from tests.device.bundles import analyzer_with, calling
from tests.device.models.two_networks import shipped_bundle
from tests.device.scripted import GIVE_UP_SECONDS, ScriptedAnalyzer, fails, until


class CountingHealth(Health):
    """Counts what the analysis reports."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.steps = 0

    def progressed(self, part: Part) -> None:
        self.steps += part is Part.ANALYSIS
        super().progressed(part)


class Room:
    """An analysis at work, and what it is given and tells."""

    def __init__(self, analyzer: Analyzer) -> None:
        clock = Clock()
        self.analyzer = ScriptedAnalyzer(analyzer)
        self.inbox: Inbox[Burst | ExplainCapture, LiveFrame] = Inbox(clock)
        self.fields: list[FieldOfView] = []
        self.to_keep: list[KeepExamination] = []
        self.health = CountingHealth(clock)
        self.analysis = Analysis(
            self.analyzer,
            self.inbox,
            self.health,
            clock,
            self.fields.append,
            self.to_keep.append,
        )
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.analysis.run, args=(self.stop,))

    def end(self) -> None:
        self.stop.set()
        self.thread.join(GIVE_UP_SECONDS)

    def request(self, code: Code | None = None, *, enabled: bool = True) -> None:
        self.analysis.overlay_request.put(OverlayRequest(enabled, code))

    def take(self, *frames: Frame, fault: Fault | None = None) -> Shot:
        shot = Shot()
        self.inbox.send(Burst(shot, frames, fault))
        return shot

    def capture(self, condition: Callable[[Capture], object] = lambda capture: True) -> Capture:
        """Wait for a picture of which something is true."""
        until(lambda: (c := self.analysis.capture.peek()) is not None and condition(c))
        capture = self.analysis.capture.peek()
        assert capture is not None
        return capture

    def explains(self, code: Code) -> Callable[[Capture], bool]:
        def does(capture: Capture) -> bool:
            saliency = capture.analyzed.finding.saliency if capture.analyzed else None
            return saliency is not None and saliency.code == code

        return does


def rising(bundle: Bundle, folder: Path, masks: int) -> Analyzer:
    """Return an analyzer that explains captured pictures by so many random masks."""
    change = {"captured_method": "rise", "masks": masks}
    return analyzer_with(calling(bundle), folder, saliency=change)


@pytest.fixture(scope="session")
def occluding() -> Analyzer:
    """Return an analyzer of a network without a map of its own, which calls every picture."""
    return Analyzer(calling(shipped_bundle("paper-28")))


@pytest.fixture
def room(occluding: Analyzer) -> Iterator[Room]:
    room = Room(occluding)
    room.thread.start()
    yield room
    alive = room.thread.is_alive()
    room.end()
    assert alive


def test_live_frame_gets_its_own_finding_and_its_field_is_told(
    room: Room, occluding: Analyzer, frames: tuple[Frame, ...]
) -> None:
    room.inbox.offer(LiveFrame(frames[0], 0.25))
    until(room.analysis.live.peek)
    live = room.analysis.live.peek()
    assert live is not None
    assert live.frame is frames[0]
    assert live.finding.quality.motion == 0.25
    assert live.finding.probabilities == occluding.analyze(frames[0]).probabilities
    assert room.fields == [live.finding.field]


def test_burst_is_analyzed_shown_and_handed_on_once(room: Room, frames: tuple[Frame, ...]) -> None:
    shot = room.take(frames[0], frames[0])
    capture = room.capture()
    assert capture.shot is shot
    assert capture.analyzed is not None
    until(lambda: len(room.to_keep) == 2)
    picture, keep = room.to_keep
    assert (picture.shot, picture.frame, picture.finding) == (shot, keep.frame, None)
    assert keep.shot is shot
    assert keep.frame is capture.analyzed.frame
    assert keep.finding.probabilities == capture.analyzed.finding.probabilities
    assert keep.measures is capture.measures
    until(lambda: room.analysis.progress is None)


def test_burst_without_a_frame_is_answered_with_what_was_wrong(room: Room) -> None:
    fault = Fault("the camera was unplugged", "plug it in again")
    shot = room.take(fault=fault)
    capture = room.capture()
    assert (capture.shot, capture.analyzed, capture.fault) == (shot, None, fault)
    assert room.to_keep == []


def test_burst_that_cannot_be_analyzed_is_answered_with_what_was_wrong(
    room: Room, frames: tuple[Frame, ...]
) -> None:
    room.analyzer.burst = fails
    shot = room.take(frames[0])
    capture = room.capture()
    assert (capture.shot, capture.analyzed) == (shot, None)
    assert capture.fault is not None
    assert capture.fault.message == NOT_JUDGED


def test_picture_is_handed_on_before_it_is_judged_and_stays_where_that_fails(
    room: Room, frames: tuple[Frame, ...]
) -> None:
    def fails_at_the_model(
        taken: object, progress: object, chosen: Callable[[Frame], None]
    ) -> None:
        chosen(frames[1])
        fails()

    room.analyzer.burst = fails_at_the_model
    shot = room.take(*frames[:2])
    room.capture()
    (keep,) = room.to_keep
    assert (keep.shot, keep.frame, keep.finding) == (shot, frames[1], None)


def test_burst_of_which_none_could_be_chosen_hands_on_its_first(
    room: Room, frames: tuple[Frame, ...]
) -> None:
    room.analyzer.burst = fails
    room.take(*frames[:2])
    room.capture()
    (keep,) = room.to_keep
    assert (keep.frame, keep.finding) == (frames[0], None)


def test_picture_that_cannot_be_measured_is_shown_and_handed_on_with_its_finding(
    room: Room, frames: tuple[Frame, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "segment_lesion", fails)
    room.take(frames[0])
    until(lambda: room.analysis.fault)
    capture = room.capture()
    assert capture.analyzed is not None
    keep = room.to_keep[-1]
    assert (keep.finding, keep.measures) == (capture.analyzed.finding, None)
    assert room.analysis.fault.message == FAILED


def test_no_command_is_lost_however_fast_they_come(room: Room, frames: tuple[Frame, ...]) -> None:
    shots = []
    for _ in range(3):
        room.inbox.offer(LiveFrame(frames[1]))
        shots.append(room.take(frames[0]))
    until(lambda: len(room.to_keep) == 6)
    assert [keep.shot for keep in room.to_keep if keep.finding] == shots


def test_picture_stays_where_only_its_explanation_fails(
    room: Room, frames: tuple[Frame, ...]
) -> None:
    room.analyzer.map = fails
    room.request()
    room.take(frames[0])
    until(lambda: room.analysis.fault)
    capture = room.capture()
    assert capture.analyzed is not None
    assert [keep.finding is None for keep in room.to_keep] == [True, False]
    # The overlay is switched off again.
    room.request(enabled=False)
    room.inbox.send(ExplainCapture())
    until(lambda: room.analysis.fault is None)
    assert room.capture().analyzed is capture.analyzed


def test_captured_picture_is_explained_as_requested(room: Room, frames: tuple[Frame, ...]) -> None:
    room.request()
    room.take(frames[0])
    capture = room.capture(lambda c: c.analyzed and c.analyzed.finding.saliency)
    assert capture.analyzed is not None
    assert room.explains(likeliest_malignant(capture.analyzed.finding.probabilities))(capture)
    room.request(Code.VASC)
    room.inbox.send(ExplainCapture())
    room.capture(room.explains(Code.VASC))


def test_nothing_is_explained_where_no_call_is_made_or_the_diagnosis_is_excluded(
    room: Room, frames: tuple[Frame, ...]
) -> None:
    room.analyzer.map = fails
    room.request(Code.MEL)
    change: dict[str, object]
    for change in ({"abstention": NoCallReason.UNCERTAIN}, {"prediction_set": (Code.NV,)}):
        finding = replace(room.analyzer.asked.analyze(frames[0]), **change)
        room.analyzer.burst = lambda *given, said=finding: (frames[0], said)
        shot = room.take(frames[0])
        room.capture(lambda c, shot=shot: c.shot is shot)
        room.inbox.send(ExplainCapture())
        until(lambda: not room.inbox.commands_waiting())
    assert room.analysis.fault is None


def test_captured_picture_is_seen_with_the_models_own_map_first_and_the_better_one_after(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    room = Room(rising(bundle, tmp_path, 40))
    methods: list[str] = []
    put = room.analysis.capture.put

    def noted(capture: Capture) -> None:
        saliency = capture.analyzed.finding.saliency if capture.analyzed else None
        methods.append(saliency.method if saliency else "")
        put(capture)

    room.analysis.capture.put = noted  # type: ignore[method-assign]
    room.request()
    room.thread.start()
    try:
        room.inbox.offer(LiveFrame(frames[0]))
        until(room.analysis.live.peek)
        live = room.analysis.live.peek()
        room.take(frames[0])
        until(lambda: "rise" in methods)
    finally:
        room.end()
    assert live is not None
    assert live.finding.saliency is not None
    assert live.finding.saliency.method == "class-activation-map"
    assert methods == ["class-activation-map", "rise"]


def test_live_view_does_not_wait_for_the_map_of_a_picture_that_was_released(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    room = Room(rising(bundle, tmp_path, 4000))
    explain, passes, shot = room.analyzer.map, [], Shot()

    def lets_go(
        frame: Frame, code: Code, done: Callable[[], None], *, as_captured: bool
    ) -> SaliencyMap:
        def step() -> None:
            passes.append(as_captured)
            if len(passes) == 5:
                room.inbox.offer(LiveFrame(frames[1]))
                shot.release()
            done()

        return explain(frame, code, step, as_captured=as_captured)

    room.analyzer.map = lets_go
    room.request()
    room.thread.start()
    try:
        room.inbox.send(Burst(shot, frames[:1]))
        until(lambda: (live := room.analysis.live.peek()) and live.frame is frames[1])
    finally:
        room.end()
    assert passes == [True] * 5


def test_live_frame_that_waits_from_before_the_press_does_not_end_the_map(
    tmp_path: Path, bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    room = Room(rising(bundle, tmp_path, 40))
    room.request()
    room.inbox.offer(LiveFrame(frames[1]))
    room.take(frames[0])
    room.thread.start()
    try:
        room.capture(
            lambda c: c.analyzed.finding.saliency and c.analyzed.finding.saliency.method == "rise"
        )
    finally:
        room.end()


def test_request_that_changes_while_the_picture_is_explained_is_met(
    room: Room, frames: tuple[Frame, ...]
) -> None:
    explain = room.analyzer.map

    def changes_his_mind(
        frame: Frame, code: Code, done: Callable[[], None], *, as_captured: bool
    ) -> SaliencyMap:
        room.request(Code.DF)
        room.inbox.send(ExplainCapture())
        return explain(frame, code, lambda: None, as_captured=as_captured)

    room.analyzer.map = changes_his_mind
    room.request(Code.MEL)
    room.take(frames[0])
    room.capture(room.explains(Code.DF))


def counting_passes(room: Room, at_the_fifth: Callable[[], None]) -> dict[Code, int]:
    """Do something at a map's fifth pass; return how many passes each diagnosis's map has had."""
    explain = room.analyzer.map
    passes: dict[Code, int] = {}

    def counted(
        frame: Frame, code: Code, done: Callable[[], None], *, as_captured: bool
    ) -> SaliencyMap:
        def step() -> None:
            passes[code] = passes.get(code, 0) + 1
            if sum(passes.values()) == 5:
                at_the_fifth()
            done()

        return explain(frame, code, step, as_captured=as_captured)

    room.analyzer.map = counted
    return passes


def test_shutter_does_not_wait_for_a_map(room: Room, frames: tuple[Frame, ...]) -> None:
    passes = counting_passes(room, lambda: room.take(frames[0]))
    analyze_burst, before = room.analyzer.burst, []

    def noted(*given: object) -> tuple[Frame, Finding]:
        before.append(sum(passes.values()))
        return analyze_burst(*given)

    room.analyzer.burst = noted
    room.request(Code.MEL)
    room.inbox.offer(LiveFrame(frames[0]))
    # The captured picture is explained all the same, after it is seen and handed on.
    room.capture(room.explains(Code.MEL))
    assert room.to_keep
    assert before == [5]


def test_map_that_nobody_wants_any_more_is_given_up(room: Room, frames: tuple[Frame, ...]) -> None:
    passes = counting_passes(room, lambda: room.request(Code.VASC))
    room.request(Code.MEL)
    room.inbox.offer(LiveFrame(frames[0]))
    until(lambda: (live := room.analysis.live.peek()) and live.finding.saliency)
    assert passes[Code.MEL] == 5
    assert passes[Code.VASC] > 100


def test_health_hears_of_every_pass_of_a_map(
    room: Room, occluding: Analyzer, frames: tuple[Frame, ...]
) -> None:
    steps = room.health.steps
    room.request()
    room.inbox.offer(LiveFrame(frames[0]))
    until(lambda: (live := room.analysis.live.peek()) and live.finding.saliency)
    assert occluding.manifest.live.saliency.method == "occlusion"
    assert room.health.steps - steps > 100


def test_analysis_whose_every_step_fails_is_failing_and_does_not_fill_the_log(
    room: Room, frames: tuple[Frame, ...], caplog: pytest.LogCaptureFixture
) -> None:
    room.analyzer.live = fails
    with caplog.at_level(logging.ERROR):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            room.inbox.offer(LiveFrame(frames[0]))
            time.sleep(0.01)
    assert room.analysis.fault is not None
    assert len(caplog.records) == 1
    report = room.health.report()
    assert report[Part.ANALYSIS].state is report[Part.MODEL].state is PartState.FAILING


def test_analysis_that_fails_in_the_middle_of_every_step_is_failing(
    room: Room, frames: tuple[Frame, ...]
) -> None:
    """What such a step reports on its way is no progress."""

    def fails_late(
        frame: Frame, code: Code, done: Callable[[], None], *, as_captured: bool
    ) -> None:
        for _ in range(3):
            done()
        raise RuntimeError("no tensor")

    room.analyzer.map = fails_late
    room.request(Code.MEL)
    until(
        lambda: (
            room.inbox.offer(LiveFrame(frames[0]))
            or room.health.report()[Part.ANALYSIS].failures >= FAILURES
        )
    )
    alive = room.health.report()[Part.ANALYSIS].alive
    room.inbox.offer(LiveFrame(frames[0]))
    failures = room.health.report()[Part.ANALYSIS].failures
    until(lambda: room.health.report()[Part.ANALYSIS].failures > failures)
    assert room.health.report()[Part.ANALYSIS].alive == alive


def test_analysis_without_a_camera_waits(room: Room, frames: tuple[Frame, ...]) -> None:
    until(lambda: room.health.report()[Part.ANALYSIS].state is PartState.WAITING)
    assert room.health.report()[Part.MODEL].state is PartState.STARTING
    room.inbox.offer(LiveFrame(frames[0]))
    until(lambda: room.health.report()[Part.MODEL].state is PartState.WORKING)


def test_picture_that_was_taken_before_the_end_is_still_handed_on(
    occluding: Analyzer, frames: tuple[Frame, ...]
) -> None:
    room = Room(occluding)
    room.request(Code.MEL)
    shot = room.take(frames[0])
    room.stop.set()
    room.analysis.run(room.stop)
    assert [keep.shot for keep in room.to_keep] == [shot, shot]
    # A map would only hold up the end.
    assert room.capture().analyzed.finding.saliency is None


def test_model_is_told_apart_from_what_else_is_done_with_a_picture(
    room: Room, frames: tuple[Frame, ...]
) -> None:
    def fails_after_the_model(*given: object) -> tuple[Frame, Finding]:
        frame, finding = room.analyzer.asked.analyze_burst(frames[:1])
        return replace(frame, pixels=frame.pixels[:1, :1]), finding

    room.analyzer.burst = fails_after_the_model
    room.take(frames[0])
    until(lambda: room.analysis.fault)
    report = room.health.report()
    assert report[Part.ANALYSIS].state is PartState.FAILING
    assert report[Part.MODEL].state is PartState.WORKING


def test_burst_without_a_picture_is_no_work_done(room: Room) -> None:
    room.take(fault=Fault("the camera was unplugged"))
    room.capture()
    until(lambda: room.health.report()[Part.ANALYSIS].state is PartState.WAITING)
    assert room.health.report()[Part.ANALYSIS].worked is None
