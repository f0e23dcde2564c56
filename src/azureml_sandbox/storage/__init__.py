"""Blob storage: Azurite behind the front, with its keys and signatures."""
