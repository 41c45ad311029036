"""The ``aidb`` command.

``app`` is the entry point: it finds the command, runs it, and turns an :class:`aidb.Error` into
one line on standard error and an exit status. Every command group is one module and is imported
only when it is asked for, so that ``aidb --help`` is quick. ``formats`` reads and writes the files
of ``load`` and ``dump``; ``text`` turns bytes into text and back; ``output`` prints tables, JSON
and progress.

Commands work on a database directory through the library face (:mod:`aidb`); they hold no logic of
the engine. A directory can be open in one process only: while a server has it, use a Redis client.
"""

from aidb.cli.app import main

__all__ = ["main"]
