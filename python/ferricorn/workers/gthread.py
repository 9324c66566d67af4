"""`ThreadWorker`: the class that `worker_class = "gthread"` names."""

from ferricorn.workers.base import Worker


class ThreadWorker(Worker):
    """The same worker as `SyncWorker`. What it does is not in this class."""
