"""Where the threads of a worker are, for the error log."""

from __future__ import annotations

import sys
import threading
import traceback


def told(first: int) -> str:
    """Return the stacks of all threads but the calling one: that of `first`, which is in the request, before the others."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    # In the order of a dict: Python's own, the newest thread first.
    frames = {ident: frame for ident, frame in sys._current_frames().items() if ident != own}
    parts = []
    for ident in sorted(frames, key=lambda ident: ident != first):
        title = f"Thread {names.get(ident, ident)}"
        parts.append(f"{title}, which is in the request:" if ident == first else f"{title}:")
        parts.append("".join(traceback.format_stack(frames[ident])).rstrip())
    return "\n".join(parts)
