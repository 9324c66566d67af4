"""The reference command line as a configuration file; Gunicorn 27.0.1 reads it too.

    ferricorn -c etc/gunicorn.conf.py

Every global in lower case that names a setting is applied, anything else is yours. What the command
line or GUNICORN_CMD_ARGS says beats it. It runs in a process of its own, at the start and with each HUP.
All settings: docs/settings.md.
"""

import os

wsgi_app = "backend.wsgi:application"

# Also "[::]:5000", "unix:/run/autoshop/http.sock"; a list for several.
bind = "0.0.0.0:5000"

workers = int(os.environ.get("WEB_CONCURRENCY", "4"))
worker_class = "sync"
worker_connections = 1000
preload_app = True

# A worker is replaced after so many requests, each after another number of them.
max_requests = 1000
max_requests_jitter = 100

# Seconds: for one call of the application; for workers to finish when the server stops; for an idle
# connection.
timeout = 30
graceful_timeout = 25
keepalive = 2

# "-" is standard output for the first and standard error for the second.
accesslog = "access.log"
errorlog = "error.log"
loglevel = "warning"
capture_output = True

# The proxies whose X-Forwarded-Proto is believed.
forwarded_allow_ips = "127.0.0.1,::1"
