"""Blob storage: lists, blocks, copies, signatures."""
