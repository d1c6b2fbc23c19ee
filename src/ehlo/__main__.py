"""`python -m ehlo` is the command line tool."""

from __future__ import annotations

import sys

from ehlo.cli import main

if __name__ == "__main__":
    sys.exit(main())
