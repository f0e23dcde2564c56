"""Runs a command and tells what it took, on the last line of stderr.

In between because Linux counts a parent's memory as its child's until the child begins a program of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

if __name__ == "__main__":
    code = subprocess.run(sys.argv[1:], check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = {"cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}
    print(json.dumps(took), file=sys.stderr)
    sys.exit(code)
