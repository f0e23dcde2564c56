"""Files of the user's: how they are read, and how they are written."""
