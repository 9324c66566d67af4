"""`SyncWorker`: the class that `worker_class = "sync"` names."""

from ferricorn.workers.base import Worker


class SyncWorker(Worker):
    """One request at a time. What such a worker does is not in this class."""
