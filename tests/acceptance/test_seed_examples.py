"""The code examples of the page that this project starts from, each run as its reader would run it.

Their texts are in seed_examples.txt. Where the page leaves a function undefined, a prelude here defines it and says so.
The example that triggers a snapshot on a server is left out, because this release has no server.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from anabranch import Run
from anabranch.errors import CapabilityMissing

_PAGE = Path(__file__).with_name("seed_examples.txt").read_text(encoding="utf-8")


def example(name: str) -> str:
    """The one code block of a section, unchanged."""
    section = _PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"{name}: {len(blocks)} code blocks"
    return str(blocks[0])


def calls(run: Run) -> dict[str, str]:
    """What was called, in order, and how it ended."""
    return {known.display: known.status for known in run.state.invocations.values()}


def test_the_basic_example_runs_as_a_script_and_prints_one_line_for_each_index(
    project: Any,
) -> None:
    done = project.python(project.write(example("basic")))

    assert done.stdout == "Processing index 0\nProcessing index 1\nProcessing index 2\n"
    assert done.returncode == 0


def test_the_basic_example_runs_as_many_steps_as_its_first_step_says(project: Any) -> None:
    run = project.load(example("basic")).dynamic_pipeline()

    assert calls(run) == {
        "generate_int": "completed",
        "do_something": "completed",
        "do_something_2": "completed",
        "do_something_3": "completed",
    }
    assert run.status == run.state.status == "completed"
    assert run.artifact("generate_int").load() == 3
    assert run.logs("do_something_2") == "Processing index 1\n"
    assert run.load() is None


def test_the_loop_of_the_basic_example_is_sequential(project: Any) -> None:
    run = project.load(example("basic")).dynamic_pipeline()

    known = list(run.state.invocations.values())
    numbers = [invocation.outcome_number for invocation in known]
    assert numbers == sorted(numbers)
    assert run.logs() == "Processing index 0\nProcessing index 1\nProcessing index 2\n"


def test_a_step_takes_options_in_the_body(project: Any) -> None:
    """Prelude: the page does not define `some_step`."""
    prelude = (
        "from anabranch import pipeline, step\n\n"
        "@step\ndef some_step() -> int:\n    print('ran')\n    return 1\n\n"
    )
    module = project.load(prelude + example("options"))

    assert [module.dynamic_pipeline().logs() for _ in range(2)] == ["ran\n", "ran\n"]
    assert calls(module.dynamic_pipeline()) == {"some_step": "completed"}


def test_substitutions_fill_the_name_of_an_output_and_the_output_can_be_passed_on(
    project: Any,
) -> None:
    run = project.load(example("names")).dynamic_pipeline()

    assert run.artifact("produce").name == "score_validated"
    assert run.artifact("produce").load() == 1
    assert run.logs("consume") == "1\n"


def test_steps_with_a_runtime_can_be_defined(project: Any) -> None:
    """Prelude: the page leaves the import to its reader."""
    module = project.load("from anabranch import step\n\n" + example("runtimes"))

    assert [module.some_step.name, module.another_step.name] == ["some_step", "another_step"]


def test_an_inline_step_runs_and_an_isolated_one_is_refused_before_anything_runs(
    project: Any,
) -> None:
    """L7. Prelude: pipelines that call the steps. Isolated processes are a later capability of the local stack."""
    module = project.load(
        "from anabranch import pipeline, step\n\n"
        + example("runtimes")
        + "\n@step\ndef first() -> None:\n    print('first ran')\n"
        + "\n@pipeline\ndef inline() -> None:\n    first()\n    another_step()\n"
        + "\n@pipeline\ndef isolated() -> None:\n    first()\n    some_step()\n"
    )

    assert calls(module.inline()) == {"first": "completed", "another_step": "completed"}
    with pytest.raises(CapabilityMissing) as refused:
        module.isolated()
    lines = str(refused.value).splitlines()
    assert len(lines) == 3
    assert "runtime='isolated'" in lines[0]
    assert "some_step" in lines[1]


def test_an_isolated_step_leaves_no_trace_of_a_run(
    project: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """L7, L11: what is refused has started nothing, and has not even made a journal."""
    module = project.load(
        "from anabranch import pipeline, step\n\n"
        + example("runtimes")
        + "\n@step\ndef first() -> None:\n    print('first ran')\n"
        + "\n@pipeline\ndef isolated() -> None:\n    first()\n    some_step()\n"
    )

    with pytest.raises(CapabilityMissing):
        module.isolated()

    assert "first ran" not in capfd.readouterr().out
    assert not (project.folder / ".anabranch").exists()


def test_map_reduce_maps_over_a_result_and_reduces_the_results(project: Any) -> None:
    run = project.load(example("map-reduce")).map_reduce()

    names = ["producer", "worker[0]", "worker[1]", "worker[2]", "reducer"]
    assert calls(run) == dict.fromkeys(names, "completed")
    assert [run.artifact(f"worker[{i}]").load() for i in range(3)] == [2, 4, 6]
    assert run.artifact("reducer").load() == 12


def test_product_calls_the_step_for_each_combination(project: Any) -> None:
    run = project.load(example("product")).cartesian_example()

    names = [f"do_something[{i}]" for i in range(6)]
    assert {k: v for k, v in calls(run).items() if k in names} == dict.fromkeys(names, "completed")
    assert run.state.counts() == {"completed": 8}


def test_product_lets_the_last_collection_vary_fastest(project: Any) -> None:
    """Prelude's counterpart: the body of `do_something`, which the page leaves out, prints what it gets."""
    text = example("product").replace("    ...\n", "    print(a, b)\n    return a\n")
    run = project.load(text).cartesian_example()

    printed = [run.logs(f"do_something[{i}]") for i in range(6)]
    assert printed == ["1 a\n", "1 b\n", "1 c\n", "2 a\n", "2 b\n", "2 c\n"]


def test_unmapped_gives_the_whole_list_to_every_call(project: Any) -> None:
    run = project.load(example("unmapped")).unmapped_example()

    assert run.state.counts() == {"completed": 5}
    assert {f"consumer[{i}]" for i in range(3)} < set(calls(run))


def test_unmapped_passes_a_list_of_another_length(project: Any) -> None:
    """The body of `consumer`, which the page leaves out, prints what it gets."""
    text = example("unmapped").replace("    ...\n", "    print(a, b)\n")
    run = project.load(text).unmapped_example()

    assert [run.logs(f"consumer[{i}]") for i in range(3)] == ["1 [1, 1, 1, 1]\n"] * 3


def test_unpack_gives_one_list_for_each_output(project: Any) -> None:
    """The page loads the lists and drops them; the last line here returns them."""
    text = example("unpack") + "    return doubles, triples\n"
    run = project.load(text).map_pipeline()

    assert run.load() == ([2, 4], [3, 6])
    assert calls(run).keys() == {"create_int_list", "compute[0]", "compute[1]"}


def test_a_loop_decides_with_load_and_wires_with_chunk(project: Any) -> None:
    run = project.load(example("loop")).custom_loop()

    assert list(calls(run)) == ["create_int_list", "compute", "compute_2"]
    assert [run.artifact(name).load() for name in ("compute", "compute_2")] == [4, 8]


def test_a_chunk_is_an_edge_of_the_graph(project: Any) -> None:
    run = project.load(example("loop")).custom_loop()

    first, second, _ = run.state.invocations.values()
    assert second.after == (first.invocation,)


def test_submit_runs_steps_beside_the_body(project: Any) -> None:
    """Prelude: the page does not define `downstream_step`."""
    prelude = "from anabranch import step\n\n@step\ndef downstream_step(value: int) -> None:\n    print(value)\n\n"
    run = project.load(prelude + example("submit")).dynamic_pipeline()

    names = ["some_step", "downstream_step", "some_step_2", "some_step_3", "some_step_4"]
    assert calls(run) == dict.fromkeys(names, "completed")
    assert [run.artifact(name).load() for name in names if name != "downstream_step"] == [
        2,
        0,
        2,
        4,
    ]
    assert run.logs() == "2\n"


def test_a_future_and_its_artifact_load_the_same_value(project: Any) -> None:
    """Prelude as above; the last line here returns what the page assigns."""
    prelude = (
        "from anabranch import step\n\n@step\ndef downstream_step(value: int) -> None: ...\n\n"
    )
    text = prelude + example("submit") + "    return artifact, data\n"
    run = project.load(text).dynamic_pipeline()

    assert run.load() == (2, 2)


def test_a_child_pipeline_gives_its_output_to_a_step_of_the_parent(project: Any) -> None:
    run = project.load(example("child")).parent_pipeline()

    assert calls(run) == {
        "child_pipeline": "completed",
        "produce_number": "completed",
        "consume_number": "completed",
    }
    assert run.logs("consume_number") == "42\n"
    child = next(known for known in run.state.invocations.values() if known.pipeline)
    produced = next(k for k in run.state.invocations.values() if k.step == "produce_number")
    assert produced.scope == child.invocation


def test_a_child_pipeline_can_be_submitted(project: Any) -> None:
    """Prelude: the section before it, which defines the child and the step."""
    run = project.load(
        example("child") + "\n" + example("child-submit")
    ).parent_pipeline_concurrent()

    assert set(calls(run)) == {"child_pipeline", "produce_number", "consume_number"}
    assert run.logs() == "42\n"


def test_an_embedded_pipeline_makes_no_child_run(project: Any) -> None:
    """Prelude: the section that defines the child and the step."""
    run = project.load(example("child") + "\n" + example("child-embed")).parent_pipeline_inline()

    assert calls(run) == {"produce_number": "completed", "consume_number": "completed"}
    assert not any(known.pipeline for known in run.state.invocations.values())
    assert run.logs() == "42\n"


def test_a_template_gives_parameters_to_the_steps_named_in_depends_on(project: Any) -> None:
    project.write(example("template-yaml"), "config.yaml")
    done = project.python(project.write(example("template"), "run.py"))

    assert done.stdout == "arg is 3\n"
    assert done.returncode == 0


def test_an_edit_of_the_template_changes_the_run_and_not_the_code(project: Any) -> None:
    module = project.load(example("template"), "run.py")
    for value in (3, 4):
        path = project.write(example("template-yaml").replace("3", str(value)), "config.yaml")
        run = module.dynamic_pipeline.with_options(config_path=path)()
        assert run.logs() == f"arg is {value}\n"
