"""Blob storage: Azurite, its installation and its process, and the keys and signatures of the storage accounts."""
