"""Values outlive the process that made them; `__main__` does not."""

import os
import textwrap
from pathlib import Path

import pytest

from anabranch.artifacts.references import is_findable, name_of, resolve
from anabranch.errors import NotSerializable

FLOW = """
import dataclasses, enum, sys, typing
import pydantic
from anabranch.artifacts import Codecs, MemorySource

class Colour(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Config:
    number: int
    colour: Colour = Colour.RED

class Model(pydantic.BaseModel):
    number: int

class Point(typing.NamedTuple):
    x: int

class Plain:
    class Inner:
        pass
    def __init__(self):
        self.inner = Plain.Inner()
        self.config = Config(3)
        self.function = function

def function():
    return "called"

def values():
    return [Colour.RED, Config(1), Model(number=2), Point(3), Plain(), function, Plain.Inner]

def closure():
    config = Config(5)
    return lambda: (config, Config, function)

def write(folder):
    codecs = Codecs()
    for number, value in enumerate([*values(), closure()]):
        encoded = codecs.encode(value)
        data = b"".join(encoded.payload.chunks())
        with open(f"{folder}/{number}-{encoded.codec}", "wb") as file:
            file.write(data)

def read(folder):
    import pathlib
    codecs = Codecs()
    found = []
    for file in sorted(pathlib.Path(folder).iterdir()):
        codec = file.name.split("-")[1]
        found.append(codecs.decode(codec, MemorySource(file.read_bytes())))
    return found

def check(folder):
    *found, closed = read(folder)
    assert [type(each) for each in found] == [type(each) for each in values()], found
    assert found[:4] == values()[:4]
    assert type(found[4].inner) is Plain.Inner and type(found[4].config) is Config
    assert found[4].function is function and found[5] is function and found[6] is Plain.Inner
    config, kind, called = closed()
    assert type(config) is Config and kind is Config and called is function
    print("same")

if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "flow.py").write_text(FLOW)
    (tmp_path / "package" / "__init__.py").write_text("")
    return tmp_path


AS_MAIN = ("flow.py",)
AS_IMPORT = ("-c", "import flow, sys; getattr(flow, sys.argv[1])(sys.argv[2])")
AS_MODULE = ("-m", "package.flow")
AS_PACKAGE = ("-c", "import package.flow, sys; getattr(package.flow, sys.argv[1])(sys.argv[2])")


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        (AS_MAIN, AS_MAIN),
        (AS_MAIN, AS_IMPORT),
        (AS_IMPORT, AS_MAIN),
        (AS_MODULE, AS_PACKAGE),
        (AS_PACKAGE, AS_MODULE),
    ],
)
def test_a_value_finds_its_class_whichever_way_the_file_is_run(python, project, writer, reader):
    python(*writer, "write", "out", cwd=project)
    by_name = [file for file in (project / "out").iterdir() if "cloudpickle" not in file.name]
    assert len(by_name) == 7
    assert b"__main__" not in b"".join(file.read_bytes() for file in by_name)
    assert python(*reader, "check", "out", cwd=project) == "same"


def test_a_spawned_process_writes_what_its_parent_can_read(python, project):
    script = """
    import multiprocessing, sys
    from flow_types import Thing
    from anabranch.artifacts import Codecs, MemorySource

    class Own:
        pass

    def work(queue):
        encoded = Codecs().encode(Own())
        queue.put((encoded.codec, b"".join(encoded.payload.chunks())))

    if __name__ == "__main__":
        context = multiprocessing.get_context("spawn")
        queue = context.SimpleQueue()
        process = context.Process(target=work, args=(queue,))
        process.start()
        codec, data = queue.get()
        process.join()
        assert type(Codecs().decode(codec, MemorySource(data))) is Own, data
        print("same")
    """
    (project / "flow_types.py").write_text("class Thing:\n    pass\n")
    (project / "spawning.py").write_text(textwrap.dedent(script))
    assert python("spawning.py", cwd=project) == "same"


def test_what_only_a_prompt_knows_travels_by_value(python, project):
    script = """
    import pathlib
    from anabranch.artifacts import Codecs
    class Thing: number = 5
    encoded = Codecs().encode(Thing())
    assert encoded.codec == "cloudpickle", encoded
    pathlib.Path("out/thing").write_bytes(b"".join(encoded.payload.chunks()))
    """
    python("-c", textwrap.dedent(script), cwd=project)
    script = """
    import pathlib
    from anabranch.artifacts import Codecs, MemorySource
    data = pathlib.Path("out/thing").read_bytes()
    print(Codecs().decode("cloudpickle", MemorySource(data)).number)
    """
    assert python("-c", textwrap.dedent(script), cwd=project) == "5"


class Outer:
    class Inner:
        pass


def test_a_name_leads_back_to_its_class():
    for thing in (Outer, Outer.Inner, int, os.path.join):
        assert is_findable(thing)
        assert resolve(name_of(thing)) is thing


def test_a_local_class_and_a_replaced_one_are_not_findable(monkeypatch):
    class Local:
        pass

    assert not is_findable(Local)
    before = Outer
    monkeypatch.setitem(globals(), "Outer", Local)
    assert not is_findable(before)


@pytest.mark.parametrize("name", ["no_such_module:Thing", "os:no_such_name", "os:path.nothing"])
def test_a_name_that_leads_nowhere_is_refused_in_three_lines(name):
    with pytest.raises(NotSerializable) as caught:
        resolve(name)
    assert len(str(caught.value).splitlines()) == 3
    assert name in str(caught.value)
