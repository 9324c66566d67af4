"""`Statsd`: a logger that sends metrics to a statsd server.

Requests and severe lines are counted. A line with `extra={"metric": ..., "value": ..., "mtype": ...}` is a metric, too;
without text it is nothing else.
"""

from __future__ import annotations

import logging
import socket
from datetime import timedelta
from typing import Any, Mapping

from ferricorn import util
from ferricorn.glogging import Logger

METRIC_VAR = "metric"
VALUE_VAR = "value"
MTYPE_VAR = "mtype"
GAUGE_TYPE = "gauge"
COUNTER_TYPE = "counter"
HISTOGRAM_TYPE = "histogram"
TIMER_TYPE = "timer"


class Statsd(Logger):
    """The logger for `statsd_host`."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        bare = cfg.statsd_prefix.rstrip(".")
        # As with the server's own metrics: a single letter is left as it is.
        self.prefix = f"{bare}." if len(bare) > 1 else cfg.statsd_prefix
        self.dogstatsd_tags = cfg.dogstatsd_tags
        self.sock = self._connected(cfg.statsd_host)

    def _connected(self, host: Any) -> socket.socket | None:
        family = socket.AF_UNIX if isinstance(host, str) else socket.AF_INET
        if family == socket.AF_INET and host and util.is_ipv6(host[0]):
            family = socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.connect(host)
        except (OSError, TypeError) as error:
            sock.close()
            Logger.warning(self, "statsd at %s cannot be reached, no metrics are sent: %s", host, error)
            return None
        return sock

    # Lines that count.

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log, and count."""
        super().critical(msg, *args, **kwargs)
        self.increment("gunicorn.log.critical", 1)

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log, and count."""
        super().error(msg, *args, **kwargs)
        self.increment("gunicorn.log.error", 1)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log, and count."""
        super().warning(msg, *args, **kwargs)
        self.increment("gunicorn.log.warning", 1)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log, and count."""
        super().exception(msg, *args, **kwargs)
        self.increment("gunicorn.log.exception", 1)

    # Lines that may be metrics.

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log, or send a metric."""
        self.log(logging.INFO, msg, *args, **kwargs)

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log, or send a metric."""
        self.log(logging.DEBUG, msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Send the metric in `extra`, and log the text if there is any."""
        try:
            self._measure(kwargs.get("extra") or {})
            if msg:
                super().log(lvl, msg, *args, **kwargs)
        except Exception:
            Logger.warning(self, "Failed to log to statsd", exc_info=True)

    def _measure(self, extra: Mapping[str, Any]) -> None:
        name, value, kind = (extra.get(key) for key in (METRIC_VAR, VALUE_VAR, MTYPE_VAR))
        if not name or value is None:
            return
        if kind == GAUGE_TYPE:
            self.gauge(name, value)
        elif kind == COUNTER_TYPE:
            self.increment(name, value)
        elif kind == HISTOGRAM_TYPE:
            self.histogram(name, value)
        elif kind == TIMER_TYPE:
            self.timer(name, value)

    def access(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        """Write the access line, and measure the request."""
        super().access(resp, req, environ, request_time)
        self.timer("gunicorn.request.duration", request_time.seconds * 1000 + request_time.microseconds / 1000)
        self.increment("gunicorn.requests", 1)
        self.increment(f"gunicorn.request.status.{_code(resp.status)}", 1)

    # Metrics, for whoever wants to send one.

    def gauge(self, name: str, value: Any) -> None:
        """Say how much of something there is."""
        self._sock_send(f"{self.prefix}{name}:{value}|g")

    def increment(self, name: str, value: Any, sampling_rate: float = 1.0) -> None:
        """Count up."""
        self._sock_send(f"{self.prefix}{name}:{value}|c|@{sampling_rate}")

    def decrement(self, name: str, value: Any, sampling_rate: float = 1.0) -> None:
        """Count down."""
        self._sock_send(f"{self.prefix}{name}:-{value}|c|@{sampling_rate}")

    def timer(self, name: str, value: Any) -> None:
        """Say how many milliseconds something took."""
        self._sock_send(f"{self.prefix}{name}:{value}|ms")

    def histogram(self, name: str, value: Any) -> None:
        """Give one value of a distribution."""
        self._sock_send(f"{self.prefix}{name}:{value}|h")

    def _sock_send(self, msg: str | bytes) -> None:
        try:
            datagram = msg.encode("ascii") if isinstance(msg, str) else msg
            if self.dogstatsd_tags:
                datagram += b"|#" + self.dogstatsd_tags.encode("ascii")
            if self.sock is not None:
                self.sock.send(datagram)
        except (OSError, UnicodeEncodeError):
            # Not the method of this class, which would send a metric again.
            Logger.warning(self, "Error sending message to statsd", exc_info=True)


def _code(status: str | bytes | int) -> int:
    text = status.decode("latin-1") if isinstance(status, bytes) else status
    return int(text.split(None, 1)[0]) if isinstance(text, str) else text
