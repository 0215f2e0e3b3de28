# One image for every process of Payferry; docker-compose.yml says which one a container runs.
# No embedded servers and no build tools are in it: those of the first stage stay there.

FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
# the pinned build tools, so that nothing is fetched by an unpinned name
RUN pip install --no-cache-dir --require-hashes -r requirements/dev.txt
COPY pyproject.toml README.md LICENSE ./
COPY config/ config/
COPY payferry/ payferry/
COPY payments/ payments/
COPY tasks/ tasks/
COPY workers/ workers/
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /venv/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home payferry \
 && install --directory --owner payferry /var/lib/payferry
COPY --from=build /venv /venv
WORKDIR /app
# Flower reads its options from a file by its path
USER payferry
CMD ["payferry", "--help"]
