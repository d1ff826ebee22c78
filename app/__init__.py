"""A health-monitoring service: knows whether a server's dependencies are there, and says so."""
