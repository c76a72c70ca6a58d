"""Reads `-p NAME=VALUE`, and the plugin options `-p no:NAME` that share the letter."""

import json
from collections.abc import Sequence

from anabranch.errors import UserMistake


def plugin_options(given: Sequence[str]) -> list[str]:
    """Those that speak of plugins."""
    return [text for text in given if _is_plugin_option(text)]


def arguments(given: Sequence[str]) -> dict[str, object]:
    """The others, as arguments of the pipeline. Raises `UserMistake`."""
    found: dict[str, object] = {}
    for text in given:
        if _is_plugin_option(text):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UserMistake(
                f"{text!r} is not NAME=VALUE", "an option -p", "write it like -p rate=0.1"
            )
        if name in found:
            raise UserMistake(f"{name!r} is given twice", "an option -p", "give each argument once")
        found[name] = value_of(value)
    return found


def value_of(text: str) -> object:
    """What it is as JSON; else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_plugin_option(text: str) -> bool:
    return text.startswith("no:") and "=" not in text
