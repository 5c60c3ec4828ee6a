"""The processor time of a call, for tests which hold that no text is read in more than its due time."""

import gc
import time
from collections.abc import Callable


def seconds(work: Callable[[], object], *, times: int = 3) -> float:
    """The least processor time of `times` calls of `work`, in seconds of this thread.

    The best of several, without other threads and without the garbage collector: late in a
    suite a single collection takes over a second, and which test it falls into is chance.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        found = []
        for _ in range(times):
            begin = time.thread_time()
            work()
            found.append(time.thread_time() - begin)
        return min(found)
    finally:
        if collects:
            gc.enable()
