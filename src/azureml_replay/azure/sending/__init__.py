"""The one door out: width, retries, tokens, redaction."""
