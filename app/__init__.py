"""A health-monitoring service: it reports whether the dependencies of a server are reachable."""

__version__ = "1.1.0"
"""The version of this program, which is not SERVICE_VERSION."""
