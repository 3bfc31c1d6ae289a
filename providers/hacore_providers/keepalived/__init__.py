"""keepalived.conf as keepalived reads it: a reader with positions, a writer, and the statements of a configuration.

    read(data, "keepalived.conf")   bytes -> Document: statements, comments, faults of the text
    write(document.statements)      statements -> text that keepalived reads as the same statements
    settings(document)              Document -> Settings: instances, trackers, groups, virtual servers

Everything here is pure. A file that keepalived would refuse is read anyway: its faults are in `Document.faults`.
"""

from __future__ import annotations

from .document import Comment, Document, Fault, Files, Place, Statement, Word, no_files
from .read import read
from .write import write

__all__ = ["Comment", "Document", "Fault", "Files", "Place", "Statement", "Word", "no_files", "read", "write"]
