"""Settings of an aidb process: one typed tree, where each value came from, and how to load it.

A value comes from its default, a TOML file, an environment variable ``AIDB_<SECTION>_<NAME>`` or a
flag of the command line; the later one wins. Loading reports every problem at once.
"""

from aidb.config.load import LoadedSettings, load_settings
from aidb.config.tree import ServerSettings, Settings, StorageSettings

__all__ = ["LoadedSettings", "ServerSettings", "Settings", "StorageSettings", "load_settings"]
