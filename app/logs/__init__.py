"""How the service logs: one line per event, below ERROR to stdout, from ERROR up to stderr.

A record passes rate_limit (how often), formats and redaction (what it looks like), and line_writer (a queue and the
thread that writes); streams is the handler that joins them, setup installs it. No caller waits for a reader of the log.
"""
