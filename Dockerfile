# One image for every service; compose says which command each runs.
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python3 -m venv /venv
COPY requirements.txt ./
RUN /venv/bin/python -m pip install --require-hashes -r requirements.txt
COPY pyproject.toml README.md worker.py scheduler.py ./
COPY aggregator aggregator
COPY storage storage
RUN /venv/bin/python -m pip install --no-build-isolation --no-deps --editable . \
    && /venv/bin/python -m compileall -q aggregator storage worker.py scheduler.py

FROM python:3.13-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 8080
CMD ["aggregator", "serve"]
