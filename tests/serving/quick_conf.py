"""gunicorn's configuration as it is, but for the probe worker's own limits: a test cannot wait for those."""

from app.serving import probe_worker

probe_worker.HEAD_SECONDS = probe_worker.SEND_SECONDS = 1.5

from app.serving.gunicorn_conf import *  # noqa: E402, F401, F403  gunicorn takes the names it knows
