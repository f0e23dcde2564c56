"""Documents of jobs and computes, and recorded ones brought into a workspace."""
