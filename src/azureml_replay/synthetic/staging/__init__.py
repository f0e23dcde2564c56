"""What the steps of jobs will read, written into the target's storage beforehand."""
