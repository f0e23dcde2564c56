"""The service, spoken: wire in, domain out, and the other way round."""
