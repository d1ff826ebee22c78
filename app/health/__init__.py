"""Are our dependencies there?

dependency -> check -> prober -> record -> report. Nothing here knows Flask, gunicorn, the settings, or the
connections.
"""
