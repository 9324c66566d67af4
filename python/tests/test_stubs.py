"""The stubs of the Rust side say what there is."""

import os
import subprocess
import sys
from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[1]
# What PyO3 makes, and attributes of another object's.
KNOWN = ["ferricorn._ferricorn.__all__", "ferricorn._ferricorn.db.__all__", "ferricorn._ferricorn.ClientSocket.__getattr__"]


def test_stubs_agree_with_the_module(tmp_path):
    known = tmp_path / "known"
    known.write_text("\n".join(KNOWN))
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "--allowlist", str(known), "ferricorn._ferricorn"]
    environment = {**os.environ, "MYPYPATH": str(PACKAGES)}
    checked = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
