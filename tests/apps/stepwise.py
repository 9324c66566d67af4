"""`plain`, whose import waits for permission: it makes the file `importing-PID` and goes on when there is `allowed-PID`.

Without a file `gate` it does not wait.
"""

import os
import time

from plain import application  # noqa: F401

me = os.getpid()
if os.path.exists("gate"):
    open(f"importing-{me}", "w").close()
    while not os.path.exists(f"allowed-{me}"):
        time.sleep(0.01)
