"""Run `nx-27017` without its command log, which would contain client data.

Run as ``python -m rehearsal.host.backends.mongodb_server`` with the arguments of ``nx-27017``.
"""

from __future__ import annotations

import logging

from nx_27017.nx_27017 import main

if __name__ == "__main__":
    logging.disable(logging.INFO)
    main()
