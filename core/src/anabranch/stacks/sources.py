"""Where a stack is written, so that an error can point at the line."""

from dataclasses import dataclass, field

from anabranch import stacks


@dataclass(frozen=True, slots=True)
class Source:
    """`label` is a path for people. `prefix` are the tables around the stack in its file. `text` may hold secrets."""

    label: str
    text: str = field(default="", repr=False)
    prefix: tuple[str, ...] = ()

    def at(self, *keys: str) -> str:
        """The place of a key: `"stacks/prod.toml, line 4"`. The table around it, if the key itself is not found."""
        whole = (*self.prefix, *keys)
        for end in range(len(whole), max(0, len(self.prefix) - 1), -1) if self.text else ():
            line = stacks.line_of(self.text, whole[:end])
            if line is not None:
                return f"{self.label}, line {line}"
        return self.label

    def within(self, *keys: str) -> "Source":
        return Source(self.label, self.text, (*self.prefix, *keys))


BUILT_IN = Source("the built-in stack")
