"""Notices: what changed, told once to the webhooks of `notify`, and never by anybody who has something else to do."""
