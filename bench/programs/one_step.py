"""One step, as a whole process."""

from anabranch import pipeline, step


@step
def add(x: int) -> int:
    return x + 1


@pipeline
def one() -> object:
    return add(1)


if __name__ == "__main__":
    assert one().load() == 2
