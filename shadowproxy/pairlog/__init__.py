"""The pair log on the disk: what a line is, how segments are written and read, and what is kept for how long."""
