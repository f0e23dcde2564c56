"""The one place that sends: width, retries, tokens, redaction."""
