"""Load: requests leave when they are due, however late the answers are, and latency counts from when they were due."""
