"""shadowproxy: mirror inference traffic to candidate models, log the pairs, and say what changed."""

__version__ = "0.1.0"
