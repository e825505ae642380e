"""What operators change while the proxy runs: laid over what the file says, kept apart from it.

    file's snapshot + changes → snapshot in force          apply.py, roles.py
    changes + a wish → changes                              verbs.py
    changes + a new file → changes that it did not settle   rebase.py
    changes + file → what differs from the file             drift.py

All of it is pure: times and names come in as arguments. The supervisor keeps the changes and loads this package, so
nothing here imports pydantic.
"""
