"""The one seam for reading and writing a workspace: values and protocols, no I/O."""
