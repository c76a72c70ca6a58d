"""What a function, a class or a wrapper consists of, before the values among it are encoded."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pieces:
    """`code` is encoded already. `values` count with it; `slots` count as parts where the whole has a name.

    A slot is called `default rate`, `closure factor` or `options`, and its part `flow.train default rate`.
    """

    code: bytes
    values: dict[str, object] = field(default_factory=dict)
    slots: dict[str, object] = field(default_factory=dict)
