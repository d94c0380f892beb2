# asset-prep: downloads, draws and transcodes the clips of a lane.
#
#   scripts/images                                        builds it from this machine's binaries
#   docker build -f docker/asset-prep.Dockerfile .        builds the binaries in a container first
#
# Podman before 4.5 needs the default spelt out: --build-arg BINARIES=built
ARG BASE=docker.io/library/debian:bookworm-slim
ARG RUST=docker.io/library/rust:1.88-bookworm
ARG BINARIES=built

FROM ${RUST} AS built
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev \
        libgstrtspserver-1.0-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY Lpfile.toml Lpfile.toml
COPY configs configs
COPY docs docs
COPY src src
COPY tests tests
COPY benches benches
RUN cargo build --release --locked --bins \
    && mkdir /out \
    && strip -o /out/lp target/release/lp \
    && strip -o /out/lp-worker target/release/lp-worker \
    && cp Cargo.lock /out/

FROM scratch AS staged
ARG STAGED=target/docker/latest
COPY ${STAGED}/ /out/

FROM ${BINARIES} AS binaries

# The next steps are the same for both images; the cache runs them once.
FROM ${BASE} AS base
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin lane \
    && mkdir -p /usr/share/lp /project \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

FROM base AS gstreamer
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
        gstreamer1.0-plugins-ugly gstreamer1.0-libav libgstrtspserver-1.0-0 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

# Only the plugins that read videos and write clips: a third of the size.
FROM gstreamer AS closure
COPY --from=base /var/lib/dpkg/status /base-status
COPY docker/closure /
RUN ["/closure", "/out", "/base-status", \
     "coreelements", "typefindfunctions", "playback", "app", "videoconvertscale", "deinterlace", \
     "videofilter", "audioparsers", "isomp4", "matroska", "avi", "flv", "mpegtsdemux", "mpegpsdemux", "ogg", "multifile", \
     "videoparsersbad", "codectimestamper", "debug", "jpeg", "jpegformat", "libav", "theora", "vpx", "aom", \
     "x264", "x265"]

FROM base
COPY --from=closure /out/ /
COPY --from=binaries /out/Cargo.lock /usr/share/lp/
COPY --from=binaries /out/lp /out/lp-worker /usr/local/bin/
# GStreamer scans its plugins now, so that no start has to.
ENV GST_REGISTRY=/usr/share/lp/gstreamer-registry.bin HOME=/tmp XDG_CACHE_HOME=/tmp
RUN lp-worker --version && chmod 644 "$GST_REGISTRY"
ENV GST_REGISTRY_UPDATE=no
USER 10001:10001
WORKDIR /project
CMD ["lp", "build", "assets"]
HEALTHCHECK --interval=5m --timeout=10s CMD ["lp", "--version"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG BASE
LABEL org.opencontainers.image.title="lp asset-prep" \
      org.opencontainers.image.description="Downloads, draws and transcodes the videos of a loss-prevention lane" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}"
