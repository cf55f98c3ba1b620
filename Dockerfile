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
# A name for the user and its group: Celery takes a group without one for root and warns at every start.
RUN groupadd --gid 10001 aggregator \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin aggregator
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
# As numbers, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8080
CMD ["aggregator", "serve"]
