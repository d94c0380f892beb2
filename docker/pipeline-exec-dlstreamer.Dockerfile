# pipeline-exec on Intel's DL Streamer, for machines that can pull it: it has
# `gvadetect` and its other elements, and the drivers of GPU and NPU.
#
#   scripts/images --dlstreamer
#
# Written from Intel's documentation of its image; it has not been built yet.
ARG BASE=docker.io/intel/dlstreamer:2025.1.2-ubuntu24

FROM ${BASE}
USER root
RUN dpkg-query --show --showformat '${Package} ${Version} ${Architecture}\n' > /tmp/packages.txt \
    && install -D --mode 644 /tmp/packages.txt /usr/share/lp/packages.txt \
    && rm /tmp/packages.txt \
    && mkdir /project
ARG STAGED=target/docker/latest
COPY ${STAGED}/Cargo.lock /usr/share/lp/
COPY ${STAGED}/lp ${STAGED}/lp-worker /usr/local/bin/
# GStreamer scans its plugins now, so that no start has to.
ENV GST_REGISTRY=/usr/share/lp/gstreamer-registry.bin HOME=/tmp XDG_CACHE_HOME=/tmp
RUN lp-worker --version && chmod 644 "$GST_REGISTRY"
ENV GST_REGISTRY_UPDATE=no
USER 10001:10001
WORKDIR /project
ENTRYPOINT []
CMD ["lp", "run"]
HEALTHCHECK --interval=5m --timeout=10s CMD ["lp-worker", "--version"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG BASE
LABEL org.opencontainers.image.title="lp pipeline-exec on DL Streamer" \
      org.opencontainers.image.description="Plays the pipelines of a loss-prevention lane with DL Streamer and measures them" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}"
