ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY requirements.txt .
# The base's pip installs into the environment, which so has no installer in it.
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r requirements.txt

FROM ${PYTHON_IMAGE}
# wget is for the health check alone; a security update of it is welcome in any build.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends wget \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv
# Readable to all, also when the checkout's umask was 077.
COPY --chmod=755 app app

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8080
# The answer, whatever its status, is kept for `docker inspect`. It takes a shell to fill in the variables.
# hadolint ignore=DL3025
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD wget -qO- --content-on-error --no-proxy --tries=1 \
        "http://localhost:${PORT:-8080}${HEALTHCHECK_PATH:-/health}" || exit 1
# gunicorn's master is process 1: it handles the signals and reaps.
CMD ["gunicorn", "--config", "python:app.serving.gunicorn_conf", "app.wsgi:app"]

ARG VERSION=1.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="server-health" \
      org.opencontainers.image.description="Knows at every moment whether a server's dependencies are there, and says so" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
