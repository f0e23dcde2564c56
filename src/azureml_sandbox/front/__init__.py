"""The proxy front: which host a request is for, who may, and what goes wrong on purpose."""
