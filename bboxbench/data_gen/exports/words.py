"""Class names in the text of other formats, so that every reader gives them back as they were."""

from __future__ import annotations

__all__ = ["proto_text", "yaml_text"]


def yaml_text(name: str) -> str:
    """A name as a quoted YAML scalar, in ASCII, so that neither encoding nor YAML's own types change it."""
    return '"' + "".join(_yaml_character(character) for character in name) + '"'


def _yaml_character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if " " <= character <= "~" else f"\\U{ord(character):08X}"


def proto_text(name: str) -> str:
    """A name as a quoted string of a text-format protocol buffer, in UTF-8."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
