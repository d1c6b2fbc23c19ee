"""The public surface: what there is, the same in both adapters, and what importing it costs."""

import inspect
import re
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
import ehlo.testing

MODULES = [ehlo, ehlo.asyncio, ehlo.blocking, ehlo.testing, ehlo.commands, ehlo.errors]
MODULES += [ehlo.dialogues, ehlo.dkim, ehlo.pool, ehlo.sasl]


def loaded_by(statement: str) -> set[str]:
    """Return which modules a fresh interpreter has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_ehlo_loads_neither_asyncio_nor_ssl() -> None:
    heavy = {"asyncio", "ssl", "socket", "email", "logging", "ehlo.asyncio", "ehlo.blocking"}
    assert loaded_by("import ehlo") & heavy == set()


def test_the_blocking_adapter_loads_neither_asyncio_nor_ssl() -> None:
    assert loaded_by("import ehlo.blocking") & {"asyncio", "ssl", "email", "ehlo.asyncio"} == set()


def test_the_adapters_load_at_first_use() -> None:
    assert "ehlo.blocking" in loaded_by("import ehlo; ehlo.blocking")
    assert "ehlo.asyncio" in loaded_by("import ehlo; ehlo.asyncio.connect")
    assert "ehlo.testing" in loaded_by("import ehlo; ehlo.testing.Server")
    assert "ehlo.dkim" in loaded_by("import ehlo; ehlo.dkim.Signer")
    assert "ehlo.sasl" in loaded_by("import ehlo; ehlo.sasl.Scram")


def test_dkim_loads_its_package_with_the_first_key() -> None:
    loaded = loaded_by("import ehlo; ehlo.dkim.Signer")
    assert loaded & {"cryptography", "asyncio", "ssl", "email"} == set()


def test_what_loads_at_first_use_is_the_module() -> None:
    assert ehlo.__getattr__("blocking") is ehlo.blocking


def test_what_does_not_exist_says_so() -> None:
    with pytest.raises(AttributeError, match="'ehlo' has no attribute 'nothing'"):
        _ = ehlo.nothing


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_all_names_exist_and_are_documented(module: ModuleType) -> None:
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        member = getattr(module, name)
        if inspect.isclass(member) or inspect.isfunction(member):
            assert member.__doc__, f"{module.__name__}.{name} has no docstring"


def members(kind: type) -> dict[str, Any]:
    public = {name for name in dir(kind) if not name.startswith("_")}
    return {name: inspect.getattr_static(kind, name) for name in public}


def plain(docstring: str | None) -> str:
    return inspect.cleandoc(docstring or "")


def test_both_adapters_have_the_same_names() -> None:
    assert ehlo.asyncio.__all__ == ehlo.blocking.__all__


@pytest.mark.parametrize("name", ehlo.blocking.__all__)
def test_both_adapters_have_the_same_docstrings(name: str) -> None:
    blocking, aio = getattr(ehlo.blocking, name), getattr(ehlo.asyncio, name)
    assert plain(blocking.__doc__) == plain(aio.__doc__)


ITERATORS = {"send_many", "results"}
"""What returns a generator: an async one in `ehlo.asyncio`, so that nothing is awaited but it."""


def blocking_of(function: Any) -> inspect.Signature:
    """Return the signature that a function of `ehlo.asyncio` has in `ehlo.blocking`."""
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=plain_iterator(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    returned = plain_iterator(signature.return_annotation)
    return signature.replace(parameters=parameters, return_annotation=returned)


def plain_iterator(annotation: object) -> object:
    """Return an annotation without what only an event loop can take or give."""
    text = re.sub(r" \| AsyncIterable\[\w+\]", "", str(annotation))
    text = re.sub(r"AsyncGenerator\[(\w+), None\]", r"Generator[\1, None, None]", text)
    return text if isinstance(annotation, str) else annotation


def test_what_both_adapters_take_is_compared_word_by_word() -> None:
    assert plain_iterator("Iterable[Item] | AsyncIterable[Item]") == "Iterable[Item]"
    assert plain_iterator("AsyncGenerator[Result, None]") == "Generator[Result, None, None]"
    assert plain_iterator("int | None") == "int | None"


@pytest.mark.parametrize("name", ["connect", "send", "send_many"])
def test_both_adapters_have_the_same_functions(name: str) -> None:
    blocking, aio = getattr(ehlo.blocking, name), getattr(ehlo.asyncio, name)
    assert inspect.signature(blocking).parameters == blocking_of(aio).parameters
    if name in ITERATORS:
        assert inspect.signature(blocking) == blocking_of(aio)
        assert not inspect.iscoroutinefunction(aio)


def test_both_sessions_have_the_same_members() -> None:
    blocking, aio = members(ehlo.blocking.Session), members(ehlo.asyncio.Session)
    assert blocking.keys() == aio.keys()
    for name, member in blocking.items():
        assert plain(member.__doc__) == plain(aio[name].__doc__), name
        if inspect.isfunction(member):
            assert inspect.signature(member) == blocking_of(aio[name]), name
            assert inspect.iscoroutinefunction(aio[name]) is (name not in ITERATORS), name


def test_both_clients_have_the_same_members() -> None:
    blocking, aio = members(ehlo.blocking.Client), members(ehlo.asyncio.Client)
    assert blocking.keys() == aio.keys()
    for name, member in blocking.items():
        assert plain(member.__doc__) == plain(aio[name].__doc__), name
        assert inspect.signature(member) == blocking_of(aio[name]), name
        is_coroutine = name not in {*ITERATORS, "session", "stats"}
        assert inspect.iscoroutinefunction(aio[name]) is is_coroutine, name


def test_the_version_is_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", ehlo.__version__)
