ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY requirements.txt .
# The base image's pip installs into the environment, so that the environment contains no installer.
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r requirements.txt

FROM ${PYTHON_IMAGE}
# wget is only for the health check; its version is not pinned, so that every build gets security updates.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends wget \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv
# Readable by every user, even if the checkout was made with umask 077.
COPY --chmod=755 app app
COPY --chmod=755 bin/check-server-health.sh /usr/local/bin/
# `docker exec CONTAINER server-health-doctor`: the same environment, network and names as the service.
RUN printf '#!/bin/sh\ncd /srv && exec python -m app.doctor.command "$@"\n' >/usr/local/bin/server-health-doctor \
 && chmod 755 /usr/local/bin/server-health-doctor

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8080
# The body is kept for `docker inspect`, whatever the status code. The variables require a shell.
# hadolint ignore=DL3025
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD wget -qO- --content-on-error --no-proxy --tries=1 \
        "http://localhost:${PORT:-8080}${HEALTHCHECK_PATH:-/health}" || exit 1
# gunicorn's master is process 1: it handles signals and reaps children.
CMD ["python", "-m", "app.serving.command"]

ARG VERSION=1.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="server-health" \
      org.opencontainers.image.description="Reports whether the dependencies of a server are reachable" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
