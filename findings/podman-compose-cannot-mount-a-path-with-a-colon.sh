#!/usr/bin/env bash
# One expects that the long syntax of a bind volume (`type: bind`, `source:`, `target:`) takes a path
# with a colon, as no part of it is split at colons, at least with `create_host_path: false`, which is
# the known way to have Docker's Compose pass such a path as a mount (docker/compose issues 12553, 12993).
#
# What happens: podman-compose joins source and target with a colon again, for `podman create -v`.
# Podman splits that at the wrong colon, and ends with `invalid option type`, which names neither the
# volume nor the colon. `podman create --mount` takes the same path, but podman-compose 1.6.0 has no
# setting to use it for binds (`prefer_volume_over_mount` is fixed in its code, its issue 959).
#
# Why it matters: podman-compose first makes a relative source such as `./config` absolute, so a project
# that works elsewhere does not start in a folder whose name has a colon, such as a time of day, and no
# setting in its file helps. Only another folder, or a link without a colon, does.
#
# Installs podman-compose 1.6.0 from PyPI in a temporary folder. Needs python3 with venv, and podman
# (Debian 12: 4.3.1). Starts no container. Ends with 0 while the finding holds, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check podman-compose==1.6.0

# Podman with separate storage, so that nothing is left behind.
cat >"$folder/podman" <<P
#!/bin/sh
exec podman --root '$folder/storage' --runroot '$folder/run' "\$@"
P
chmod +x "$folder/podman"

site="$folder/night-22:30"
mkdir -p "$site/config" "$site/rootfs"
cat >"$site/compose.yaml" <<'C'
name: site
services:
  runner:
    image: docker.io/library/debian:12
    volumes:
      - type: bind
        source: ./config
        target: /config
        bind:
          create_host_path: false
C
cd "$site"
"$folder/venv/bin/podman-compose" --verbose --podman-path "$folder/podman" --dry-run up --no-start >"$folder/log" 2>&1
"$folder/venv/bin/podman-compose" --version
volume=$(grep -oE ' (-v|--mount) [^ ]+' "$folder/log" || true)
echo "podman-compose passes:$volume"

ask() { # the arguments of `podman create`
  "$folder/podman" create "$@" --rootfs "$site/rootfs" true 2>&1 | grep -v level=warning || true
}
# shellcheck disable=SC2086
refused=$(ask $volume)
echo "podman says: $refused"
taken=$(ask --mount "type=bind,source=$site/config,destination=/config")
echo "podman says to --mount: $taken"
"$folder/podman" rm -a >/dev/null 2>&1
[ "$volume" = " -v $site/config:/config" ] && [[ $refused == *'invalid option type "/config"'* ]] && [[ $taken =~ ^[0-9a-f]{64}$ ]]
