"""Open-loop load: requests leave when they are due, however late the answers are."""
