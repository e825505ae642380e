"""`/openapi.json`: the admin API for machines, OpenAPI 3.1. tests/admin/test_openapi.py holds it against the truth.

What bodies may be comes from the very records that read them; what is answered is described here. A path that the
application has and `paths.PATHS` lacks fails a test, and so does the reverse.
"""
