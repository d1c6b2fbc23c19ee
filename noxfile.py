"""The checks of the project: people and continuous integration run these same sessions.

``nox --no-venv -s NAME`` runs a session in the active environment, where ``.[dev]`` is installed.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "typing", "tests", "coverage", "docs", "build"]

PYTHONS = ["3.11", "3.12", "3.13"]
if shutil.which("python3.14"):
    PYTHONS.append("3.14")

IN_WHEEL = {"ehlo/__init__.py", "ehlo/py.typed"}
IN_SDIST = {
    "LICENSE",
    "README.md",
    "docs/conf.py",
    "examples/",
    "pyproject.toml",
    "src/ehlo/__init__.py",
    "src/ehlo/py.typed",
    "tests/conftest.py",
    "tests/interop/servers",
}


def install(session: nox.Session, *requirements: str) -> None:
    """Install into the session's own environment; the active one (``--no-venv``) has it all."""
    if session.virtualenv.is_sandboxed:
        session.install(*requirements)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format and import contracts."""
    install(session, "-e", ".[lint]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def typing(session: nox.Session) -> None:
    """Both type checkers, strict."""
    install(session, "-e", ".[test,lint]", "nox")
    session.run("mypy")
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, on each supported Python."""
    install(session, ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The tests with branch coverage, which must be complete."""
    install(session, "-e", ".[test]")
    session.run("python", "-m", "pytest", "--cov", "--cov-report=term-missing", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation; a warning is an error."""
    install(session, "-e", ".[docs]")
    options = ("-n", "-W", "--keep-going", "-q")
    session.run("sphinx-build", *options, "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmark: `-- run --quick`, `-- publish`, `-- profile W1-data-blocking`, `-- --help`."""
    install(session, ".[bench]")
    arguments = session.posargs or ["run"]
    path = os.pathsep.join(filter(None, ["tests", os.environ.get("PYTHONPATH")]))
    session.run("python", "-m", "benchmarks", *arguments, env={"PYTHONPATH": path})


@nox.session
def build(session: nox.Session) -> None:
    """The wheel and the sdist, and what is in them."""
    install(session, "build")
    out = Path(session.create_tmp()) / "dist"
    shutil.rmtree(out, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(out))
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        missing = IN_WHEEL - set(archive.namelist())
    if missing:
        session.error(f"not in {wheel.name}: {', '.join(sorted(missing))}")
    with tarfile.open(sdist) as tar:
        names = [name.partition("/")[2] for name in tar.getnames()]
    missing = {wanted for wanted in IN_SDIST if not any(n.startswith(wanted) for n in names)}
    if missing:
        session.error(f"not in {sdist.name}: {', '.join(sorted(missing))}")
