"""Logged requests, sent again to another upstream, beside the answers that production gave then."""
