"""For tests of kill -9: a process that kills itself just before its n-th durable step.

    countdown.left = 7
    mathtutor.io.write_atomic = dying(mathtutor.io.write_atomic)     # whatever is wrapped counts
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import SimpleNamespace

countdown = SimpleNamespace(left=0)  # steps to the end; 0: it never comes


def dying(call: Callable) -> Callable:
    def counted(*arguments, **options):
        countdown.left -= 1
        if countdown.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)

    return counted
