"""Takes secrets out of whatever is written: by the name of a value, and by the shape of a text (pure).

Both rules err on the narrow side: a value that was redacted is lost for the target, and listed as an omission. What is
looked for is the table in `shapes`; an archive keeps its version, and goes on with it.
"""

from azureml_replay.redact.documents import CUT_OFF, NEWEST, Rules, redact
from azureml_replay.redact.names import names_secret
from azureml_replay.redact.shapes import VERSION
from azureml_replay.redact.texts import STARS, arguments, has_replacement, text

__all__ = [
    "CUT_OFF",
    "NEWEST",
    "STARS",
    "VERSION",
    "Rules",
    "arguments",
    "has_replacement",
    "names_secret",
    "redact",
    "text",
]
