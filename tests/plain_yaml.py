"""YAML as our own files use it, read without a library: nobody but these tests needs one."""

import json
import re
from pathlib import Path
from typing import Any

Yaml = Any


def read_yaml(path: Path) -> Yaml:
    """Return what a file holds: mappings, lists, texts, whole numbers and None."""
    return Reader(path.read_text()).read()


class Reader:
    """Reads the plain block form of YAML in which our files are written; anything else is an error.

    A text in the form of lines (`|`) loses its indentation, which means nothing in what we write there.
    """

    def __init__(self, text: str) -> None:
        lines = (re.sub(r"(^|\s)#.*$", "", line).rstrip() for line in text.splitlines())
        self._lines = [(len(line) - len(line.lstrip()), line.strip()) for line in lines if line]
        self._anchors: dict[str, Yaml] = {}

    def read(self) -> Yaml:
        told = self._block(0)
        assert not self._lines, f"left over: {self._lines[0]}"
        return told

    def _block(self, indent: int) -> Yaml:
        return self._items(indent) if self._lines[0][1].startswith("- ") else self._mapping(indent)

    def _items(self, indent: int) -> list[Yaml]:
        items: list[Yaml] = []
        while self._lines and self._lines[0][0] == indent and self._lines[0][1].startswith("- "):
            item = self._lines[0][1][2:]
            if re.match(r"\w+:( |$)", item):
                self._lines[0] = (indent + 2, item)
                items.append(self._mapping(indent + 2))
            else:
                self._lines.pop(0)
                items.append(self._scalar(item))
        return items

    def _mapping(self, indent: int) -> dict[str, Yaml]:
        own: dict[str, Yaml] = {}
        merged: dict[str, Yaml] = {}
        while self._lines and self._lines[0][0] == indent:
            key, parted, rest = self._lines.pop(0)[1].partition(":")
            assert parted, f"no mapping: {key}"
            assert key not in own, f"twice: {key}"
            value = self._value(rest.strip(), indent)
            if key == "<<":
                merged = value
            else:
                own[key] = value
        return merged | own

    def _value(self, rest: str, indent: int) -> Yaml:
        named = re.match(r"&(\S+) *(.*)", rest)
        rest = named[2] if named else rest
        if rest == "|":
            return self._text(indent)
        nested = not rest and self._lines and self._lines[0][0] > indent
        value = self._block(self._lines[0][0]) if nested else self._scalar(rest)
        if named:
            self._anchors[named[1]] = value
        return value

    def _text(self, indent: int) -> str:
        lines: list[str] = []
        while self._lines and self._lines[0][0] > indent:
            lines.append(self._lines.pop(0)[1])
        return "\n".join(lines)

    def _scalar(self, text: str) -> Yaml:
        if text[:1] == "*":
            return self._anchors[text[1:]]
        if text[:1] == "[" and '"' not in text:
            return [part.strip() for part in text[1:-1].split(",")]
        return json.loads(text) if re.match(r'["\[]|\d+$', text) else text or None
