"""`anabranch stack`, `plugins` and `doctor`: where a run would happen."""

import pytest


@pytest.fixture
def second(project):
    """A second stack."""
    (project / "stacks").mkdir()
    (project / "stacks" / "near.toml").write_text('journal = "elsewhere/journal.db"\n')
    return project


def test_stacks_are_listed_with_where_they_are_written(type_here, second):
    lines = type_here("stack", "ls").out.splitlines()

    assert lines[0].split() == ["active", "stack", "where", "it", "is", "written"]
    assert lines[1].split() == ["✓", "local", "the", "built-in", "stack"]
    assert lines[2].split() == ["near", "stacks/near.toml"]


def test_stacks_as_json(type_here, second):
    assert type_here("stack", "ls", "--json").json == {
        "stacks": [
            {"name": "local", "source": "the built-in stack", "active": True, "problem": None},
            {"name": "near", "source": "stacks/near.toml", "active": False, "problem": None},
        ]
    }


def test_a_stack_file_that_is_wrong_is_listed_with_what_is_wrong(type_here, second):
    (second / "stacks" / "bad.toml").write_text("journal = \n")
    done = type_here("stack", "ls")

    assert done.code == 0
    assert "bad" in done.out
    assert "do:" in done.out


def test_a_stack_is_shown_with_what_it_can_and_cannot_do(type_here, project):
    out = type_here("stack", "show").out

    assert str(project) in out
    assert "✓  driver_loss" in out
    assert "not here:" in out


def test_a_stack_as_json(type_here, second):
    document = type_here("stack", "show", "near", "--json").json

    assert sorted(document) == [
        *("active", "capabilities", "home", "lacks", "name", "problems", "project"),
        *("settings", "source"),
    ]
    assert {"key": "journal", "value": "elsewhere/journal.db", "default": False} in document[
        "settings"
    ]


def test_a_stack_that_works_passes_its_check(type_here, project):
    done = type_here("stack", "check")

    assert (done.code, done.err) == (0, "")
    assert "✓  artifact store" in done.out
    assert type_here("stack", "check", "--json").json["ok"] is True


def test_a_journal_that_is_no_journal_fails_the_check(type_here, project):
    (project / ".anabranch").mkdir()
    (project / ".anabranch" / "journal.db").write_bytes(b"not a database" * 1000)
    done = type_here("stack", "check")

    assert done.code == 1
    assert "✗  journal" in done.out
    document = type_here("stack", "check", "--json").json
    assert [row["component"] for row in document["checks"] if not row["ok"]] == ["journal"]


def test_plugins_are_listed_with_what_they_bring(type_here):
    done = type_here("plugins")

    assert done.code == 0
    assert any(line.startswith("journal") and "sqlite" in line for line in done.out.splitlines())


def test_plugins_as_json(type_here):
    document = type_here("plugins", "--json").json

    assert sorted(document) == ["blocked", "components", "plugins", "problems"]
    assert {"role", "name", "summary", "plugin"} == set(document["components"][0])


def test_a_plugin_can_be_left_out(type_here, monkeypatch):
    monkeypatch.setenv("ANABRANCH_PLUGINS", "")
    done = type_here("plugins", "-p", "no:local")

    assert done.out == ""
    assert "left out by wish: local" in done.err


def test_the_doctor_finds_a_sound_project_sound(type_here, project):
    done = type_here("doctor")

    assert done.code == 0
    assert str(project) in done.out
    assert "✗" not in done.out


def test_the_doctor_as_json(type_here):
    document = type_here("doctor", "--json").json

    assert document["ok"] is True
    assert {"python", "anabranch", "plugins", "project", "home", "stack", "journal"} <= {
        check["component"] for check in document["checks"]
    }


def test_the_doctor_finds_a_home_that_cannot_be(type_here, project, monkeypatch):
    (project / "file").touch()
    monkeypatch.setenv("ANABRANCH_HOME", str(project / "file" / "home"))
    done = type_here("doctor")

    assert done.code == 1
    assert "✗  home" in done.out
    assert "ANABRANCH_HOME" in done.out


def test_the_doctor_finds_a_stack_that_cannot_be_read(type_here, project, monkeypatch):
    monkeypatch.setenv("ANABRANCH_STACK", "nowhere")
    done = type_here("doctor")

    assert done.code == 1
    assert "no stack is called 'nowhere'" in done.out
