"""What holds for every test."""

from __future__ import annotations

import signal

from hypothesis import settings

# A shell starts what it puts in the background with interrupts ignored, and that is inherited: tests that
# interrupt a process of theirs would wait for ever. What is not ignored here has its default in a child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more about the machine than about the code.
settings.register_profile("kingdom", deadline=None)
settings.load_profile("kingdom")
