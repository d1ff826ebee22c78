"""Are our dependencies there?

dependency -> check -> checker -> record -> report. Nothing here knows Flask, gunicorn, the settings, or the
connections.
"""
