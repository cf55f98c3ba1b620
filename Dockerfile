# One image for every service; compose says which command each runs.
# 'scripts/pin-images' sets this to a digest: python@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
# requirements-extras.txt adds OpenTelemetry and Sentry.
ARG REQUIREMENTS=requirements.txt
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python3 -m venv /venv
COPY requirements.txt requirements-extras.txt ./
RUN /venv/bin/python -m pip install --require-hashes -r ${REQUIREMENTS}
COPY pyproject.toml README.md worker.py scheduler.py ./
COPY aggregator aggregator
COPY config config
COPY storage storage
RUN /venv/bin/python -m pip install --no-build-isolation --no-deps --editable . \
    && /venv/bin/python -m compileall -q aggregator storage worker.py scheduler.py

FROM ${PYTHON_IMAGE}
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# 127.0.0.1 would be reachable inside the container alone. Relative paths would lie in /app, which nobody may write.
ENV AGGREGATOR_LISTEN=0.0.0.0:8080 AGGREGATOR_DATA_DIR=/data AGGREGATOR_LOG_FORMAT=json
# A name for the user and its group: Celery takes a group without one for root and warns at every start.
RUN groupadd --gid 10001 aggregator \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin aggregator \
    && install --directory --owner 10001 --group 10001 --mode 700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
# As numbers, so that an orchestrator can see that it is not root.
USER 10001:10001
# A new volume gets the owner of this folder.
VOLUME /data
EXPOSE 8080
# For 'run' and 'serve'; the other services of the compose file have checks of their own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=3)"]
CMD ["aggregator", "serve"]
