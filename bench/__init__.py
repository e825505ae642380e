"""Measurements of shadowproxy beside its peers. Not part of the package: run from a clone, one command each."""
