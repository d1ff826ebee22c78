"""What can be asked of a dependency: one kind of check a file.

A check knows how to ask and what the errors of its client mean; it knows nothing of schedules, records or routes.
"""
