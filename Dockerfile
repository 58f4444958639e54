# The project and its pinned packages, without tools to build or install them and without root. One image for all parts of
# a cluster: the command says which (docs/operations.md). EXTRAS=cluster,local adds the embedded servers for compose.yaml,
# EXTRAS=kubernetes the launcher of pods. Below /tmp, /srv/ingest/state and /srv/ingest/local it writes, nowhere else: the
# root may be read-only.
ARG PYTHON=python:3.11.11-slim-bookworm

FROM ${PYTHON} AS build
ARG EXTRAS=cluster
WORKDIR /build
RUN python -m venv --without-pip /opt/ingest
COPY constraints.txt pyproject.toml ./
COPY ingest_project ingest_project
RUN pip --python /opt/ingest/bin/python install --no-cache-dir --disable-pip-version-check -c constraints.txt ".[${EXTRAS}]"

FROM ${PYTHON}
RUN useradd --uid 10001 --create-home ingest \
    && mkdir -p /srv/ingest/dagster /srv/ingest/state /srv/ingest/local \
    && chown -R ingest /srv/ingest/state /srv/ingest/local /srv/ingest/dagster
COPY --from=build /opt/ingest /opt/ingest
COPY deploy/cluster/dagster.yaml /srv/ingest/dagster/
COPY deploy/cluster/workspace.yaml /srv/ingest/
ENV PATH=/opt/ingest/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/srv/ingest/dagster \
    DAGSTER_LOCAL_STORAGE=/srv/ingest/local \
    DAGSTER_DISABLE_TELEMETRY=yes \
    DAGSTER_EVENT_BATCH_SIZE=50 \
    INGEST_HOME=/srv/ingest/state
USER 10001:10001
WORKDIR /srv/ingest
# What is healthy is another question for each part: compose.yaml and deploy/kubernetes ask it.
HEALTHCHECK NONE
CMD ["ingest", "worker"]
