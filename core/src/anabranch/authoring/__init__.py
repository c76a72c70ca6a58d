"""What user code touches: the decorators, and what a pipeline's body may call."""

from typing import TYPE_CHECKING

from anabranch._lazy import lazy

if TYPE_CHECKING:
    from anabranch.authoring.templates import read_template as read_template

__getattr__ = lazy(__name__, {"read_template": "anabranch.authoring.templates"})
