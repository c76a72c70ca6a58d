import os
import socket
import stat
import textwrap
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from anabranch.artifacts import Codecs, MemorySource
from anabranch.errors import NotSerializable


@dataclass
class Model:
    weights: Path
    name: str = "m"


def tree(folder: Path) -> dict[str, object]:
    """Everything below a folder, by relative name."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data set"
    (root / "deep" / "empty").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "deep" / ("long" * 60)).write_bytes(os.urandom(100_000))
    (root / "run.sh").write_text("#!/bin/sh")
    (root / "run.sh").chmod(0o700)
    (root / "link").symlink_to("deep/../a.txt")
    (root / "up").symlink_to(".")
    (root / os.fsdecode(b"odd\xff\xc3\xbc")).write_text("x")
    return root


@pytest.mark.parametrize("name", ["table.csv", "ü ü.bin", os.fsdecode(b"odd\xff"), "no\nbreak"])
def test_a_file_comes_back_as_a_copy_with_its_name(there_and_back, tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"\x00\ncontent")
    back = there_and_back(file)
    assert back != file
    assert back.name == name
    assert back.read_bytes() == b"\x00\ncontent"


def test_each_load_is_a_copy_of_its_own(there_and_back, tmp_path):
    file = tmp_path / "f"
    file.write_text("first")
    there_and_back(file).write_text("changed")
    assert there_and_back(file).read_text() == "first"


def test_a_file_stays_executable(there_and_back, tmp_path):
    file = tmp_path / "tool"
    file.write_text("#!/bin/sh")
    file.chmod(0o755)
    assert there_and_back(file).stat().st_mode & stat.S_IXUSR


def test_a_folder_comes_back_with_all_that_is_in_it(there_and_back, folder):
    back = there_and_back(folder)
    assert back.name == folder.name
    assert tree(back) == tree(folder)
    assert back.joinpath("a.txt").stat().st_mtime > 0


def test_the_same_files_give_the_same_bytes(data_of, folder, tmp_path):
    before = data_of(folder)
    other = tmp_path / "other" / folder.name
    other.parent.mkdir()
    for name, content in reversed(tree(folder).items()):
        target = other / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            target.mkdir(exist_ok=True)
        elif isinstance(content, str):
            target.symlink_to(content)
        else:
            target.write_bytes(content[0])
            target.chmod(0o711 if content[1] else 0o600)
            os.utime(target, (5, 5))
    assert data_of(other) == before


def test_a_link_to_a_file_outside_becomes_the_file(there_and_back, folder, tmp_path):
    (tmp_path / "outside").write_text("blob")
    (folder / "model.bin").symlink_to(tmp_path / "outside")
    back = there_and_back(folder) / "model.bin"
    assert not back.is_symlink()
    assert back.read_text() == "blob"


def test_paths_inside_other_values_carry_their_content(there_and_back, tmp_path):
    file = tmp_path / "w"
    file.write_text("weights")
    back = there_and_back({"models": [Model(file)], "n": 1})
    assert back["models"][0].weights.read_text() == "weights"
    assert back["models"][0].weights != file


def test_a_path_that_leads_nowhere_is_a_name(there_and_back, tmp_path):
    for value in (tmp_path / "nothing", PurePosixPath("/x/y")):
        assert there_and_back(value) == value


@pytest.mark.parametrize("inside", [False, True])
def test_what_is_no_file_is_refused_by_name(codecs, tmp_path, inside):
    (tmp_path / "d").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "d" / "s"))
        with pytest.raises(NotSerializable, match="neither a file") as caught:
            codecs.encode([tmp_path / "d" if inside else tmp_path / "d" / "s"])
    assert caught.value.to.startswith("value[0]")


def test_a_link_to_a_folder_outside_is_refused(codecs, folder, tmp_path):
    (folder / "out").symlink_to(tmp_path)
    with pytest.raises(NotSerializable, match="link inside it"):
        codecs.encode(folder)


@pytest.mark.parametrize("change", ["grow", "rewrite", "remove"])
def test_a_file_that_changes_while_it_is_stored_is_refused(codecs, tmp_path, change):
    file = tmp_path / "f"
    file.write_bytes(b"12345")
    os.utime(file, ns=(1, 1))
    payload = codecs.encode(file).payload
    b"".join(payload.chunks())
    if change == "remove":
        file.unlink()
    else:
        file.write_bytes(b"123456" if change == "grow" else b"54321")
    with pytest.raises(NotSerializable):
        b"".join(payload.chunks())


def test_a_large_file_is_never_held_in_memory(codecs, tmp_path):
    file = tmp_path / "large"
    with file.open("wb") as stream:
        stream.truncate(2**33)
    payload = codecs.encode({1: file}).payload
    assert payload.size > 2**33
    chunks = payload.chunks()
    assert max(len(next(chunks)) for _ in range(20)) <= 2**20


def test_copies_are_removed_when_the_process_ends_and_not_by_its_children(python, tmp_path):
    script = """
    import os, pathlib, sys
    from anabranch.artifacts import Codecs, MemorySource
    codecs = Codecs()
    file = pathlib.Path(sys.argv[1])
    data = b"".join(codecs.encode(file).payload.chunks())
    copy = codecs.decode("path", MemorySource(data))
    if os.fork() == 0:
        other = codecs.decode("path", MemorySource(data))
        assert other.parents[1] != copy.parents[1]
        sys.exit()
    os.wait()
    assert copy.read_text() == "x"
    print(copy)
    """
    (tmp_path / "f").write_text("x")
    (tmp_path / "tmp").mkdir()
    copy = python("-c", textwrap.dedent(script), str(tmp_path / "f"), TMPDIR=str(tmp_path / "tmp"))
    assert Path(copy).is_relative_to(tmp_path / "tmp")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_tar_that_reaches_outside_is_refused(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "aaaaaa").write_text("x")
    codecs = Codecs()
    data = b"".join(codecs.encode(tmp_path / "d").payload.chunks())
    evil = data.replace(b"aaaaaa", b"../bad")
    # The checksum of the header has to fit again.
    start = evil.index(b"../bad")
    header = bytearray(evil[start : start + 512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    evil = evil[:start] + bytes(header) + evil[start + 512 :]
    with pytest.raises(Exception, match="outside the destination"):
        codecs.decode("path", MemorySource(evil))
