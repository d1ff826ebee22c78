"""From the results of checks to what the service reports.

dependency -> check -> checker -> record -> report. Nothing here knows Flask, gunicorn, the settings, or the
connections.
"""
