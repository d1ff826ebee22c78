"""Everything that knows gunicorn."""
