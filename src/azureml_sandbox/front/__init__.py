"""The proxy that clients reach: finds the service behind each host name, checks the caller, makes declared faults."""
