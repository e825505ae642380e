"""What people write in a file, checked, and handed on as an immutable snapshot.

    source → environment → overrides → model → checks → settle → snapshot

`load.load` is the whole way. This package's front door stays empty, so that workers import `settings.snapshot` alone.
"""
