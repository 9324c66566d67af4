"""wrk, which makes the load of most benches."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from bench import BenchError, run_or_fail

# The figures as wrk counted them, not as it rounds them for people.
REPORT_SCRIPT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nREPORT {"requests":%d,"seconds":%f,"p50":%f,"p95":%f,"p99":%f,"failed":%d,"broken":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


def install() -> None:
    """By apt, where it is missing."""
    if shutil.which("wrk") is None:
        run_or_fail(["apt-get", "install", "--yes", "wrk"], "wrk is missing and apt-get cannot install it")


def load(
    port: int,
    connections: int,
    seconds: int,
    *options: str,
    path: str = "/",
    threads: int = 1,
    requests: str = "",
    under: Sequence[str] = (),
) -> dict[str, float]:
    """One run. A server that closes each connection costs wrk a new one, and that is part of the result.

    `requests` is Lua for what is asked, if that is not always `path`; `under` is a command that runs the command behind it.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(requests + REPORT_SCRIPT)
        script.flush()
        command = [
            *(*under, "wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", *options),
            *("--latency", "-s", script.name, f"http://127.0.0.1:{port}{path}"),
        ]
        run = subprocess.run(command, capture_output=True, text=True)
    for line in run.stdout.splitlines():
        if line.startswith("REPORT "):
            report: dict[str, float] = json.loads(line.removeprefix("REPORT "))
            return report
    raise BenchError(f"wrk gave no report: {(run.stderr or run.stdout).strip()}")
