"""Stacks: where a run is driven, executed, kept and recorded, chosen by a name.

Opening the built-in stack reads no file, so what reads files, checks settings or tells about stacks loads when it is
asked for.
"""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

if TYPE_CHECKING:
    from anabranch.stacks.checking import StackReport as StackReport
    from anabranch.stacks.checking import check_stack as check_stack
    from anabranch.stacks.files import read_pyproject as read_pyproject
    from anabranch.stacks.files import read_stack_file as read_stack_file
    from anabranch.stacks.lines import line_of as line_of
    from anabranch.stacks.listing import StackDescription as StackDescription
    from anabranch.stacks.listing import StackListing as StackListing
    from anabranch.stacks.listing import describe_stack as describe_stack
    from anabranch.stacks.listing import list_stacks as list_stacks
    from anabranch.stacks.opening import open_stack as open_stack
    from anabranch.stacks.sharing import sharing_stacks as sharing_stacks
    from anabranch.stacks.stack import Stack as Stack
    from anabranch.stacks.validating import validated as validated

_NAMES = {
    "StackReport": "anabranch.stacks.checking",
    "check_stack": "anabranch.stacks.checking",
    "read_pyproject": "anabranch.stacks.files",
    "read_stack_file": "anabranch.stacks.files",
    "line_of": "anabranch.stacks.lines",
    "StackDescription": "anabranch.stacks.listing",
    "StackListing": "anabranch.stacks.listing",
    "describe_stack": "anabranch.stacks.listing",
    "list_stacks": "anabranch.stacks.listing",
    "open_stack": "anabranch.stacks.opening",
    "sharing_stacks": "anabranch.stacks.sharing",
    "Stack": "anabranch.stacks.stack",
    "validated": "anabranch.stacks.validating",
}

__all__ = [  # the others are lazy for this room alone
    "Stack",
    "StackDescription",
    "StackListing",
    "StackReport",
    "check_stack",
    "describe_stack",
    "list_stacks",
    "open_stack",
    "sharing_stacks",
]
__getattr__ = lazy(__name__, _NAMES)


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
