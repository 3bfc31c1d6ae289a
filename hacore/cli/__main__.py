"""`python -m hacore.cli`: the same as `hacore`."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
