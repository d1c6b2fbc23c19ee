"""The benchmark's own parts work. Nothing here is timed."""

from __future__ import annotations

import email.policy
import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks import building, longline, report, sinks
from benchmarks.__main__ import FOLDER
from benchmarks.contestants import CONTESTANTS, MODES, SINKS
from benchmarks.counting import CountingLoop, total_calls
from benchmarks.drivers import NotAvailableError
from benchmarks.loads import Job, base64, dotted, small, stuffed
from benchmarks.profiling import contestant_of
from benchmarks.running import measure
from benchmarks.sinks import KEYWORDS, Count, Sink
from benchmarks.targets import TARGETS, Bound, Measure, Target
from benchmarks.worker import UnfitError, WrongCountError, micro, throughput, weigh
from benchmarks.workloads import FULL, QUICK, WORKLOADS, Stage
from support.cuts import per_octet

FALLBACK = [sys.executable, str(Path(sinks.__file__).with_name("python_sink.py"))]
HAS_COMPILER = sys.platform == "linux" and sinks.compiler() is not None


def command_of(language: str, folder: Path) -> list[str]:
    if language == "Python":
        return FALLBACK
    if not HAS_COMPILER:
        pytest.skip("no C compiler")
    return sinks.build(folder)


@pytest.fixture(scope="module", params=["C", "Python"])
def sink(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sink]:
    running = Sink(command_of(request.param, tmp_path_factory.mktemp("sink")))
    yield running
    running.stop()


def say(sink: Sink, pieces: list[bytes], replies: int) -> list[bytes]:
    """Send the pieces behind the greeting, and return the lines that come back."""
    with socket.create_connection((sink.host, sink.port)) as sock, sock.makefile("rb") as stream:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert stream.readline().startswith(b"220 ")
        for piece in pieces:
            sock.sendall(piece)
        return [stream.readline() for _ in range(replies)]


# -- Sinks -------------------------------------------------------------------------------------

ENVELOPE = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"
GROUPS = (
    ENVELOPE
    + (b"DATA\r\n" + b"x\r.\r\ny\n.\r\n..\r\n" + b".\r\n")
    + (ENVELOPE + b"DATA\r\n.\r\n")
    + (ENVELOPE + b"BDAT 7\r\n\r\n.\r\nMABDAT 4 LAST\r\nQUIT")
    + (ENVELOPE + b"BDAT 0 LAST\r\n")
    + b"rset\r\nNOOP\r\nQUIT\r\n"
)
CODES = [250, 250, 354, 250] * 2 + [250, 250, 250, 250] + [250, 250, 250] + [250, 250, 221]


@pytest.mark.parametrize("cut", [lambda octets: [octets], per_octet], ids=["whole", "per octet"])
def test_a_sink_takes_groups_texts_and_chunks(sink: Sink, cut: Any) -> None:
    before = sinks.count(sink.host, sink.port)
    lines = say(sink, cut(GROUPS), len(CODES))
    assert [int(line[:3]) for line in lines] == CODES
    text = len(b"x\r.\r\ny\n.\r\n..\r\n")
    assert sinks.count(sink.host, sink.port).since(before) == Count(4, text + 7 + 4, 3)


def test_a_sink_offers_what_it_is_told_to_offer(sink: Sink) -> None:
    offered = KEYWORDS["chunking"]
    lines = say(sink, [b"EHLO client.example.org\r\n"], 1 + len(offered))
    assert [line[4:].strip().decode() for line in lines[1:]] == list(offered)
    assert [line[3:4] for line in lines] == [b"-"] * len(offered) + [b" "]


def test_final_replies_differ(sink: Sink) -> None:
    lines = say(sink, [(ENVELOPE + b"DATA\r\n.\r\n") * 2], 8)
    assert lines[3] != lines[7]


def test_a_sink_reads_on_while_nobody_takes_its_replies(sink: Sink) -> None:
    lines = 300_000
    with socket.create_connection((sink.host, sink.port)) as sock:
        sock.sendall(b"NOOP\r\n" * lines)
        with sock.makefile("rb") as stream:
            stream.readline()
            assert sum(1 for _ in zip(range(lines), stream, strict=False)) == lines


def test_without_a_compiler_the_sink_is_in_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sinks, "compiler", lambda: None)
    assert sinks.build(tmp_path) == FALLBACK


# -- Contestants -------------------------------------------------------------------------------


def deliver(name: str, sink: Sink, messages: int, connections: int = 1) -> Count:
    contestant = CONTESTANTS[name]
    before = sinks.count(sink.host, sink.port)
    driver = contestant.make(
        Job(sink.host, sink.port, mode=contestant.mode, connections=connections)
    )
    driver.open()
    driver.run(messages)
    driver.close()
    return sinks.count(sink.host, sink.port).since(before)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("adapter", ["blocking", "asyncio"])
def test_limits_replay_whole_transactions(sink: Sink, adapter: str, mode: str) -> None:
    got = deliver(f"limit-{adapter}-{mode}", sink, 70)  # a stream sends 32 at a time
    bdats = 70 if SINKS[mode] == "chunking" else 0
    assert got == Count(70, 70 * 1024, bdats)


def test_messages_are_divided_among_connections(sink: Sink) -> None:
    assert deliver("limit-asyncio-data", sink, 10, connections=4).messages == 10
    assert deliver("smtplib-octets", sink, 10, connections=4).messages == 10


@pytest.mark.parametrize(
    "name", [name for name in CONTESTANTS if name.startswith(("ehlo", "smtplib"))]
)
def test_everybody_delivers(sink: Sink, name: str) -> None:
    if CONTESTANTS[name].uvloop:
        pytest.importorskip("uvloop")
    try:
        got = deliver(name, sink, 3)
    except NotAvailableError as exc:
        pytest.skip(str(exc))
    assert got.messages == 3
    assert got.octets >= 3 * 1024


def test_a_measurement_has_the_metrics_of_its_workload(sink: Sink) -> None:
    job = {"host": sink.host, "port": sink.port}
    answer = throughput("ehlo-blocking-data", job, 0.0, None)
    assert set(answer) == set(WORKLOADS["W1"].metrics)


def test_who_means_to_use_bdat_and_does_not_is_told(tmp_path: Path) -> None:
    command = command_of("C" if HAS_COMPILER else "Python", tmp_path)
    plain = Sink(command, KEYWORDS["pipelining"])
    try:
        job = {"host": plain.host, "port": plain.port, "mode": "bdat"}
        with pytest.raises(UnfitError, match="by DATA"):
            throughput("ehlo-blocking-bdat", job, 0.0, None)
    finally:
        plain.stop()


def test_messages_that_did_not_arrive_are_noticed(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {"host": sink.host, "port": sink.port}
    monkeypatch.setattr("benchmarks.limits.BlockingLimit.run", lambda _self, _count: None)
    with pytest.raises(WrongCountError):
        throughput("limit-blocking-data", job, 0.0, None)


@pytest.mark.parametrize(
    "name", ["ehlo:english", "smtplib:english", "ehlo:group", "smtplib:group", "ehlo:ehlo"]
)
def test_micro_benchmarks_give_the_metrics_of_their_workload(name: str) -> None:
    answer = micro("benchmarks.parsing", name, 0.0, None)
    workload = "W8-text" if "english" in name else "W8-replies"
    assert set(answer) == set(WORKLOADS[workload].metrics)


@pytest.mark.parametrize(
    "name", ["ehlo:build:small", "stdlib:write:small", "ehlo:write:utf8", "ehlo:file:1-mib"]
)
def test_builders_build(name: str) -> None:
    assert set(micro("benchmarks.building", name, 0.0, None)) <= set(WORKLOADS["W9"].metrics)


@pytest.mark.parametrize("shape", ["small", "utf8", "50-recipients", "text-html", "1-mib"])
def test_all_builders_of_a_shape_say_the_same(shape: str) -> None:
    said = [
        list(said_in(building.CASES[f"{name}:{shape}"]()[0]()))
        for name in ("ehlo:build", "stdlib:build", "ehlo:write", "stdlib:write")
    ]
    assert said[1:] == said[:1] * 3


def said_in(octets: Any) -> Iterator[object]:
    message = email.message_from_bytes(octets, policy=email.policy.default)
    yield from (str(message[name]) for name in ("From", "To", "Subject", "Date"))
    for part in message.walk():
        content = None if part.is_multipart() else part.get_content()
        if isinstance(content, str):  # the line ends within Base64 are nobody's business
            content = content.replace("\r\n", "\n")
        yield part.get_content_type(), content


def test_pieces_and_files_are_what_a_message_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    monkeypatch.setattr(building, "make_id", lambda: "x")
    monkeypatch.setattr(building, "_drop", lambda it: taken.append(it.as_bytes(make_id="x".lower)))
    for name in ("ehlo:pieces:1-mib", "ehlo:file:1-mib"):
        building.CASES[name]()[0]()
    assert taken == [building.CASES["ehlo:build:1-mib"]()[0]()] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")
def test_a_message_from_a_file_weighs_less_than_one_in_memory() -> None:
    task = {"kind": "weigh", "module": "benchmarks.building"}
    file = measure({**task, "name": "ehlo:file:25-mib"})
    whole = measure({**task, "name": "ehlo:pieces:25-mib"})
    assert set(file) == {"extra_mib"}
    assert file["extra_mib"] < whole["extra_mib"]


def test_the_system_need_not_tell_what_a_message_weighs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.worker._forget_peak", lambda: False)
    assert weigh("benchmarks.building", "ehlo:build:small") == {}


def test_rows_of_building_have_peers() -> None:
    rows = set(building.CASES)
    for name in rows:
        assert building.peer_of(name) in rows | {""}, name
    assert building.peer_of("ehlo:file:25-mib") == "stdlib:build:25-mib"
    assert building.peer_of("stdlib:build:25-mib") == ""


def test_the_counting_loop_counts() -> None:
    loop = CountingLoop()
    try:
        CountingLoop.reset()
        future = loop.create_future()
        loop.call_later(0, future.set_result, None)
        loop.run_until_complete(future)
        assert CountingLoop.counts["futures"] == CountingLoop.counts["timers"] == 1
        assert CountingLoop.counts["iterations"] >= 2
    finally:
        loop.close()


@pytest.mark.parametrize(
    "total",
    [
        "100.00    0.000000           0        29         1 total",
        "100.00    0.012345          10        29           total",
        "100.00    0.012345                    29         2 total",
    ],
)
def test_the_total_of_strace_is_found(total: str) -> None:
    heading = "% time     seconds  usecs/call     calls    errors syscall"
    row = "  0.00    0.000000           0         1           read"
    assert total_calls(f"{heading}\n------ -----------\n{row}\n{total}\n") == 29


@pytest.mark.slow
def test_messages_go_over_the_relayed_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longline, "has_namespaces", lambda: False)
    with tempfile.TemporaryDirectory() as folder:
        command = command_of("C" if HAS_COMPILER else "Python", Path(folder))
        with longline.LongLine(command) as line:
            assert (line.kind, line.prefix) == ("relay", ())
            port = line.ports["pipelining"]
            driver = CONTESTANTS["ehlo-blocking-data"].make(Job(line.host, port))
            driver.open()
            driver.run(1)
            driver.close()
            assert sinks.count(line.host, port).messages == 1


# -- Loads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [small, lambda: dotted(10_000), lambda: base64(10_000)])
def test_loads_have_their_size_and_whole_lines(make: Any) -> None:
    content = make()
    assert len(content) in {1024, 10_000}
    assert content.endswith(b"\r\n")
    assert content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n")
    assert max(map(len, content.split(b"\r\n"))) <= 998


def test_dots() -> None:
    content = dotted(100_000)
    lines = content.partition(b"\r\n\r\n")[2].split(b"\r\n")
    assert len(lines) / 9 < sum(line.startswith(b".") for line in lines) < len(lines) / 7
    assert stuffed(b"a\r\n.b\r\n..\r\nc.\r\n") == b"a\r\n..b\r\n...\r\nc.\r\n"
    assert b"." not in base64(10_000).partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("name", "contestant"),
    [
        ("W1-data-blocking", "ehlo-blocking-data"),
        ("W1-pair-asyncio", "ehlo-asyncio-data"),
        ("W1-stream-uvloop", "ehlo-uvloop-stream"),
        ("aiosmtplib-octets", "aiosmtplib-octets"),
    ],
)
def test_names_for_the_profile(name: str, contestant: str) -> None:
    assert contestant_of(name) == contestant


# -- Report ------------------------------------------------------------------------------------


def rows_of(effort: Any) -> dict[str, set[str]]:
    """Return the rows of all workloads."""
    ports = dict.fromkeys(KEYWORDS, 25)
    far = SimpleNamespace(host="", ports=ports, rtt=1.0, prefix=())
    near = SimpleNamespace(by_kind={kind: SimpleNamespace(host="", port=25) for kind in KEYWORDS})
    files = {"dotted": "", "base64": ""}
    stage = Stage(cast("Any", near), cast("Any", far), effort, None, files)
    return {
        name: {entry.name for entry in workload.entries(stage)}
        for name, workload in WORKLOADS.items()
    }


@pytest.mark.parametrize("effort", [QUICK, FULL])
def test_every_target_is_about_rows_and_metrics_that_exist(effort: Any) -> None:
    rows = rows_of(effort)
    for target in TARGETS:
        assert target.row in rows[target.workload], target.id
        assert target.other in rows[target.workload] | {""}, target.id
        assert target.metric in WORKLOADS[target.workload].metrics, target.id
    assert len({target.id for target in TARGETS}) == len(TARGETS)


def test_references_exist() -> None:
    rows = rows_of(QUICK)
    in_memory = {row for row in rows["W3"] if row.endswith("memory") and "known" not in row}
    for workload, compared in (("W1", rows["W1"]), ("W3", in_memory)):
        for row in compared:
            assert set(report.references(row)) <= rows[workload] | {""}, row
    assert report.references("ehlo-asyncio-data/dotted/memory") == (
        "limit-asyncio-lockstep/dotted/memory",
        "aiosmtplib-octets/dotted/memory",
    )
    assert report.references("ehlo-uvloop-chunk") == ("limit-asyncio-chunk", "aiosmtplib-octets")
    assert report.references("smtplib-octets") == ("limit-blocking-lockstep", "")
    assert report.references("limit-blocking-data") == ("", "")


def results_of(rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "about": {
            "effort": "quick",
            "rounds": 3,
            "seconds": 0.1,
            "python": "3.13.0",
            "system": "Linux 6",
            "cpus": 2,
            "sink": "C",
            "line": "relay",
            "rtt_ms": 50.0,
            "versions": {"ehlo": "0.1.0"},
        },
        "workloads": {"W1": {"rows": rows}},
    }


def rounds(*figures: float | None) -> dict[str, Any]:
    return {
        "rounds": [
            None if figure is None else {"messages_per_s": figure, "cpu_us": 1e6 / figure}
            for figure in figures
        ]
    }


RESULTS = results_of(
    {
        "limit-blocking-data": rounds(10_000, 40_000, 20_000),
        "smtplib-octets": rounds(5_000, None, 10_000),
        "ehlo-blocking-data": rounds(9_000, 20_000, 18_000),
        "ehlo-blocking-chunk": {"unavailable": "no such mode"},
    }
)


BUILT = {
    "ehlo:build:1-mib": {"rounds": [{"us": 200.0, "extra_mib": 4.0}] * 2},
    "stdlib:build:1-mib": {"rounds": [{"us": 2000.0, "extra_mib": 8.0}] * 2},
}


def target_of(measure: Measure, other: str = "", bound: Bound = Bound.AT_LEAST) -> Target:
    row = "ehlo-blocking-data"
    return Target("X", "W1", row, "messages_per_s", bound, 1.0, measure, other)


@pytest.mark.parametrize(
    ("measure", "other", "expected"),
    [
        (Measure.VALUE, "", 18_000),
        (Measure.RATIO, "limit-blocking-data", 0.9),  # the ratio of the medians is the same
        (Measure.RATIO, "smtplib-octets", 1.8),  # rounds one and three
        (Measure.SPEEDUP, "limit-blocking-data", 1 / 0.9),
        (Measure.DIFFERENCE, "smtplib-octets", 6_000),
    ],
)
def test_figures_are_compared_round_by_round(measure: Measure, other: str, expected: float) -> None:
    assert report.figure(RESULTS, target_of(measure, other)) == pytest.approx(expected)


def test_what_takes_nothing_is_not_compared() -> None:
    none, some = ({"rounds": [{"extra_mib": mib}]} for mib in (0.0, 2.0))
    assert report.compared(none, some, "extra_mib", Measure.SPEEDUP) is None
    assert report.compared(some, none, "extra_mib", Measure.SPEEDUP) == 0


@pytest.mark.parametrize(
    ("other", "why"),
    [("ehlo-blocking-chunk", "no such mode"), ("nobody", "nothing does this yet")],
)
def test_what_is_missing_is_said(other: str, why: str) -> None:
    assert why in str(report.figure(RESULTS, target_of(Measure.RATIO, other)))


def test_a_workload_that_was_left_out_is_said() -> None:
    target = Target("X", "W9", "ehlo:build:small", "us", Bound.AT_MOST, 1)
    assert report.figure(RESULTS, target) == "not part of this run"


def test_verdicts() -> None:
    at_least = target_of(Measure.VALUE)
    at_most = target_of(Measure.VALUE, bound=Bound.AT_MOST)
    assert report.is_reached(at_least, 1.0)
    assert not report.is_reached(at_least, 0.99)
    assert report.is_reached(at_most, 1.0)
    assert report.is_reached(at_most, 1.004)  # is shown as 1
    assert not report.is_reached(at_most, 1.01)


def test_the_tables() -> None:
    table = report.workload_table(RESULTS, "W1")
    assert "| ehlo-blocking-data | 18,000 | 55.6 | 0.9 | 1.8 | 61% |" in table
    assert "| smtplib-octets | 7,500 | 150 | - | - | 67% |" in table
    assert "| ehlo-blocking-chunk | not available: no such mode |" in table
    built = results_of({}) | {"workloads": {"W9": {"rows": BUILT}}}
    table = report.workload_table(built, "W9")
    assert "| ehlo:build:1-mib | 200 | 4 | 10 | 2 | 0% |" in table
    assert "| stdlib:build:1-mib | 2,000 | 8 | - | - | 0% |" in table
    targets = report.targets_table(RESULTS)
    assert "| ehlo-blocking-data | ≥ 0.78 x limit-blocking-data | 0.9 | reached |" in targets
    assert "| 1.8 | **missed** |" in targets
    assert "| no such mode | not available |" in targets
    assert targets.count("\n") == 2 + len(TARGETS)


def test_the_published_tables_are_made_from_the_published_figures() -> None:
    results = json.loads((FOLDER / "benchmark.json").read_text(encoding="utf-8"))
    for name, make in report.FILES.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == make(results), name
    assert set(results["workloads"]) == set(WORKLOADS)
