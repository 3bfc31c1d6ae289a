"""The reader: bytes of keepalived.conf to statements. It raises on no bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from .document import Document, Files, Place, Statement, Word, no_files
from .lines import Lines
from .text import WHITE, Text, split_words

__all__ = ["read"]

_DEEPEST = 50
"""Blocks within blocks; keepalived knows five."""


@dataclass(slots=True)
class _Open:
    """A statement, with its block as long as it is open."""

    text: Text
    words: tuple[Word, ...]
    inner: list[_Open] = field(default_factory=list)
    block: bool = False
    end: Place | None = None


def read(data: bytes, path: str, *, files: Files = no_files, config_id: str | None = None) -> Document:
    """The configuration of one host.

    `path`: the name for places, and of the folder where includes begin. `config_id`: the host's id for lines @ID
    (default of keepalived: its name up to the first dot); None: lines @ID are for others, lines @^ID for this one.
    """
    lines = Lines(files, config_id)
    top: list[_Open] = []
    levels, deeper = [top], 0
    for text in lines.of(path, data):
        level = levels[-1]
        if text.chars == "{":
            if deeper or not level or level[-1].block or len(levels) > _DEEPEST:
                lines.fault("unexpected-brace", "keepalived ignores this {: no keyword is before it", text.at(0))
                deeper += len(levels) > _DEEPEST
            else:
                level[-1].block = True
                levels.append(level[-1].inner)
        elif text.chars == "}":
            if deeper:
                deeper -= 1
            elif len(levels) == 1:
                lines.fault("unexpected-brace", "this } closes nothing", text.at(0))
            else:
                levels.pop()
                levels[-1][-1].end = text.at(0)
        elif words := _words(text):
            level.append(_Open(text, words))
    for level in levels[:-1]:
        name = level[-1].words[0].text
        lines.fault("block-not-closed", f"the block of {name} has no }}", level[-1].text.at(0))
    return Document(
        tuple(map(_closed, top)),
        tuple(lines.faults),
        tuple(lines.comments),
        lines.ids,
        tuple(lines.read),
        tuple(lines.includes),
    )


def _words(text: Text) -> tuple[Word, ...]:
    found, _ = split_words(text)  # a quote that does not end was reported when the line was read
    return tuple(Word(word.chars, word.at(0), quoted) for word, quoted in found)


def _closed(opened: _Open) -> Statement:
    block = tuple(map(_closed, opened.inner)) if opened.block else None
    return Statement(opened.words, opened.text.chars.strip(WHITE), opened.text.at(0), block, opened.end)
