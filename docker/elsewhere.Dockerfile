# elsewhere: a Debian that is not this machine's, with all that lp is built and tested with but Rust.
#
#   scripts/elsewhere    builds it, and builds and tests lp in it
ARG BASE=docker.io/library/debian:trixie-slim
FROM ${BASE}
ARG PACKAGES
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ${PACKAGES} \
    && rm -rf /var/lib/apt/lists/*
LABEL org.opencontainers.image.title="lp elsewhere" \
      org.opencontainers.image.description="What lp is built and tested with, without Rust"
