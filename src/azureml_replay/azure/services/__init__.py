"""The services of a workspace, one file each."""
