"""`make bench`: every script at a size that takes minutes together; each prints a table and writes JSON."""

from __future__ import annotations

import subprocess
import sys

SCRIPTS = (
    ("start",),
    ("archive", "--runs", "1000"),
    ("check", "--runs", "1000"),
    ("ceiling",),
    ("verbs", "--shape", "small", "--runs", "100", "--runs", "1000", "--width", "8", "--width", "32"),
    ("verbs", "--shape", "curves", "--runs", "300", "--latency-ms", "0", "--width", "32"),
    ("verbs", "--shape", "long", "--width", "8"),
    ("last_values", "--runs", "500", "--rounds", "1"),
    ("throttle",),
    ("files", "--small", "1000", "--large", "1"),
    ("mlflow", "--runs", "100", "--theirs", "20"),
)

if __name__ == "__main__":
    for name, *flags in SCRIPTS:
        print(f"\n{name} {' '.join(flags)}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *flags], check=False)
