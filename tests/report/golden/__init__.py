"""A small fixed log, and what each format makes of it.

After a change that is meant: `python -m tests.report.golden`, then read the difference before committing it.
"""
