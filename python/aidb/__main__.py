"""``python -m aidb``: the command line."""

import sys

from aidb.cli import main

sys.exit(main())
