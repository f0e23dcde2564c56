"""The HTML around the data: one file, no request to anywhere, no text of the source in its markup (pure)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape

from azureml_replay.report_page.blocks import packed, to_json
from azureml_replay.report_page.facts import Head, Index
from azureml_replay.terminal.text import safe


@dataclass(frozen=True, slots=True)
class Bundle:
    """The output of esbuild for `web/`."""

    script: str
    style: str
    licences: str
    """Licences of what is bundled; they are part of the page."""


def opening(bundle: Bundle, head: Head) -> str:
    """Everything before the blocks. No text of the source is in it: names come as base64 and through textContent."""
    script, style = _inert(bundle.script, "script"), _inert(bundle.style, "style")
    shards = " 'self' file:" if head.sharded else ""
    policy = (
        f"default-src 'none'; script-src {_hash(script)}{shards}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    sentence = escape(safe(head.sentence))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Migration report</title>
<style>{style}</style>
</head>
<body>
<!--
{bundle.licences.replace("--", "- -")}
-->
<div id="page"><h1>Migration report</h1><p>{sentence}</p>
<noscript><p>The runs and their curves are drawn by a script inside this file; this browser runs none.</p></noscript>
</div>
"""


def closing(bundle: Bundle, head: Head, index: Index) -> str:
    """The head, the tree and the script, after the blocks: only then it is known what was left out."""
    script = _inert(bundle.script, "script")
    parts = (data("head", packed(to_json(head))), data("index", packed(to_json(index))))
    return "".join(parts) + f"<script>{script}</script>\n</body>\n</html>\n"


def data(name: str, text: str) -> str:
    """An inert element with data: base64 has no character that could end it."""
    return f'<script type="text/plain" id="{name}">{text}</script>\n'


def shard(number: int, text: str) -> str:
    """The script file of a shard: a page opened from disk may load scripts beside it, and nothing else."""
    return f'addBlock({number},"{text}")\n'


def _inert(text: str, element: str) -> str:
    """Our own code, changed so that nothing in it ends its element."""
    return text.replace(f"</{element}", f"<\\/{element}").replace("<!--", "<\\!--")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
