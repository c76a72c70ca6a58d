"""What a user installs: complete, licensed, and without what does not belong.

Each distribution is built as it would be published, an sdist and from that a wheel, and installed into an
environment that has nothing else.
"""

import configparser
import json
import subprocess
import venv
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROJECTS = {"anabranch": ".", "anabranch-core": "core", "anabranch-local": "plugins/local"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist of each distribution, and the wheel made from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    programs = new_environment(tmp_path_factory.mktemp("builder"))
    run(programs / "pip", "install", "-q", "build", "hatchling>=1.27,<2")
    for project in PROJECTS.values():
        run(programs / "pyproject-build", "--no-isolation", "--outdir", folder, ROOT / project)
    return folder


@pytest.fixture(scope="module")
def programs(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the `bin` of an environment that has `anabranch`, what it needs, and nothing else."""
    programs = new_environment(tmp_path_factory.mktemp("clean"))
    run(programs / "pip", "install", "-q", *dist.glob("*.whl"))
    return programs


@pytest.mark.parametrize("name", PROJECTS)
def test_a_distribution_says_its_licence_and_carries_its_text(name: str, dist: Path) -> None:
    metadata, files = metadata_of(name, dist), files_of(name, dist)

    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert [file for file in files if file.endswith("/licenses/LICENSE")]


@pytest.mark.parametrize("name", PROJECTS)
def test_a_distribution_needs_python_3_11(name: str, dist: Path) -> None:
    assert metadata_of(name, dist)["Requires-Python"] == ">=3.11"


def test_the_distributions_have_one_version(dist: Path) -> None:
    versions = {metadata_of(name, dist)["Version"] for name in PROJECTS}

    assert len(versions) == 1


def test_anabranch_is_a_name_without_code(dist: Path) -> None:
    files = files_of("anabranch", dist)

    assert [file for file in files if ".dist-info/" not in file] == []


def test_anabranch_brings_the_core_and_the_local_backend(dist: Path) -> None:
    metadata = metadata_of("anabranch", dist)
    version = metadata["Version"]

    assert metadata.get_all("Requires-Dist") == [
        f"anabranch-core=={version}",
        f"anabranch-local=={version}",
    ]


@pytest.mark.parametrize(
    ("name", "package"), [("anabranch-core", "anabranch"), ("anabranch-local", "anabranch_local")]
)
def test_a_wheel_holds_its_package_and_nothing_beside_it(
    name: str, package: str, dist: Path
) -> None:
    """Every source file is in it, and the mark that says that it is typed."""
    source = next(ROOT.glob(f"{PROJECTS[name]}/src"))
    expected = {
        str(path.relative_to(source))
        for path in (source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {file for file in files_of(name, dist) if ".dist-info/" not in file}

    assert packed == expected
    assert f"{package}/py.typed" in packed


def test_the_core_has_a_command_and_is_no_plugin(dist: Path) -> None:
    entry_points = entry_points_of("anabranch-core", dist)

    assert entry_points.sections() == ["console_scripts"]
    assert dict(entry_points["console_scripts"]) == {"anabranch": "anabranch.cli:main"}


def test_the_local_backend_is_a_plugin_and_has_no_command(dist: Path) -> None:
    entry_points = entry_points_of("anabranch-local", dist)

    assert entry_points.sections() == ["anabranch"]
    assert dict(entry_points["anabranch"]) == {"local": "anabranch_local.plugin"}


def test_the_optional_packages_are_not_installed(programs: Path) -> None:
    """Otherwise the two tests below say less than they seem to."""
    script = """if True:
        import importlib.util, json
        names = ["numpy", "pandas", "polars", "pyarrow"]
        print(json.dumps([name for name in names if importlib.util.find_spec(name)]))
    """

    assert json.loads(run(programs / "python", "-c", script)) == []


def test_every_public_name_resolves_without_the_optional_packages(programs: Path) -> None:
    """The root resolves its names when they are first used, so each one is used here."""
    script = """if True:
        import anabranch, json
        names = anabranch.__all__
        print(json.dumps([names, [name for name in names if getattr(anabranch, name) is not None]]))
    """

    promised, resolved = json.loads(run(programs / "python", "-c", script))

    assert {"step", "pipeline", "sleep"} <= set(promised)
    assert resolved == promised


def test_the_first_example_runs_from_wheels_alone(programs: Path, tmp_path: Path) -> None:
    """Away from the checkout, with the command that the README starts with."""
    example = tmp_path / "first_pipeline.py"
    example.write_text((ROOT / "examples" / example.name).read_text())

    run(programs / "anabranch", "run", example, cwd=tmp_path)


def metadata_of(name: str, dist: Path) -> Message:
    return Parser().parsestr(read(name, dist, "METADATA"))


def entry_points_of(name: str, dist: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(delimiters="=")
    parser.read_string(read(name, dist, "entry_points.txt"))
    return parser


def read(name: str, dist: Path, file: str) -> str:
    with ZipFile(wheel_of(name, dist)) as wheel:
        path = next(path for path in wheel.namelist() if path.endswith(f".dist-info/{file}"))
        return wheel.read(path).decode()


def files_of(name: str, dist: Path) -> list[str]:
    with ZipFile(wheel_of(name, dist)) as wheel:
        return wheel.namelist()


def wheel_of(name: str, dist: Path) -> Path:
    return next(dist.glob(f"{name.replace('-', '_')}-[0-9]*.whl"))


def new_environment(folder: Path) -> Path:
    """Make a virtual environment with pip, and return where its programs are."""
    venv.create(folder, with_pip=True)
    return folder / "bin"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program to its end and return what it printed; anything but success fails the test."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
