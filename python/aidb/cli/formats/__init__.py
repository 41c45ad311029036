"""The file formats of ``aidb load`` and ``aidb dump``.

A reader turns a source into :class:`Record` objects, a writer turns pairs into a file; for every
format and encoding the writer's output read again gives the same pairs, byte for byte, or the
writer refuses the pair. A reader yields a :class:`BadInputError` in place of a record it cannot
read and goes on; it raises one when nothing after it can be read.

========  =====================================================================
lines     one pair per line, key and value separated by a TAB; a line without
          TAB is a key with an empty value (a word list)
csv       a header, then rows; RFC 4180 quoting
jsonl     one JSON object per line
tree      a directory: relative path -> content of the file
========  =====================================================================
"""

from aidb.cli.formats.record import BadInputError, Layout, Record
from aidb.cli.formats.registry import FORMATS, guess_format, open_reader, open_writer

__all__ = [
    "FORMATS",
    "BadInputError",
    "Layout",
    "Record",
    "guess_format",
    "open_reader",
    "open_writer",
]
