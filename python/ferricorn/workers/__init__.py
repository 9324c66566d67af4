"""The worker classes, by their names."""

# There is one kind of worker here; both names mean it.
SUPPORTED_WORKERS = {
    "sync": "ferricorn.workers.sync.SyncWorker",
    "gthread": "ferricorn.workers.gthread.ThreadWorker",
}
