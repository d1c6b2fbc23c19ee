import os
import re
import runpy
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from unit.cli.conftest import Run

import ehlo
import ehlo.__main__
from ehlo.cli import main

SCRIPT = Path(sysconfig.get_path("scripts")) / "ehlo"


@pytest.mark.parametrize("command", [[], ["demo"], ["send"], ["probe"]])
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*command, "--help"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith(" ".join(["usage: ehlo", *command]))


@pytest.mark.parametrize("command", [[], ["send"], ["probe"]])
def test_help_lists_the_exit_codes(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    out = capsys.readouterr().out
    for code in ehlo.cli.ExitCode:
        assert f"\n  {code.value:<4} {code.meaning}\n" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"ehlo {ehlo.__version__}\n"


@pytest.mark.parametrize("argv", [[], ["fly"], ["send"], ["probe", "a", "b"], ["probe", "--js"]])
def test_a_wrong_command_line_is_a_usage_error(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == ehlo.cli.ExitCode.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("usage: ehlo")


def test_an_error_is_told_on_stderr_and_ends_with_its_code(run: Run) -> None:
    result = run("probe", "gopher://example.org")
    assert result.code == ehlo.cli.ExitCode.USAGE
    assert result.out == ""
    assert result.err.startswith("ehlo: a server URL begins with one of smtp://")


def test_an_interrupt_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ehlo.blocking.connect", interrupt)
    assert run("probe", "localhost") == (130, "", "ehlo: interrupted\n")


def test_python_m_ehlo_runs_main(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vars(ehlo.__main__)["main"] is main  # importing it has run nothing
    monkeypatch.setattr(sys, "argv", ["ehlo", "probe"])
    monkeypatch.delitem(sys.modules, "ehlo.__main__")
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("ehlo", run_name="__main__")
    assert exit_.value.code == ehlo.cli.ExitCode.USAGE
    assert capsys.readouterr().err.startswith("ehlo: which server?")


@pytest.mark.slow
def test_python_m_ehlo_demo() -> None:
    command = [sys.executable, "-W", "error", "-m", "ehlo", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"S: 250 2\.6\.0 <.*> Queued mail for delivery\n", done.stdout)
    assert "\x1b" not in done.stdout


@pytest.mark.slow
def test_the_script_is_installed() -> None:
    done = subprocess.run(
        [SCRIPT, "--version"], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ehlo {ehlo.__version__}\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("argv", [["demo"], ["--help"]])
def test_a_reader_that_goes_away_is_no_error(argv: list[str]) -> None:
    readable, writable = os.pipe()
    os.close(readable)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ehlo", *argv],
            stdout=writable,
            stderr=subprocess.PIPE,
            timeout=20,
            check=False,
        )
    finally:
        os.close(writable)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
def test_the_version_loads_no_command() -> None:
    code = (
        "import sys, ehlo.cli\n"
        "try: ehlo.cli.main(['--version'])\n"
        "except SystemExit: pass\n"
        "heavy = {'asyncio', 'ssl', 'json', 'ehlo.blocking', 'ehlo.testing'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.splitlines()[1:] == ["[]"]
