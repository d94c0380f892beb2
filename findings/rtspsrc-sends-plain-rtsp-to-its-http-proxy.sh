#!/usr/bin/env bash
# One expects of `rtspsrc` that its property `proxy`, "Proxy settings for HTTP tunneling", matters only
# for streams that are tunnelled through HTTP (`rtsph://`), and that a proxy is asked to CONNECT.
#
# What happens: every connection goes to the proxy, also of `rtsp://` over plain TCP, and what is sent
# there is RTSP with the camera's URI, as if the proxy were the camera. Nothing is asked of a proxy.
#
# Why it matters: an HTTP proxy that is set for other streams breaks these. And it lets a relay stand
# between a camera and `rtspsrc` without a change of URIs: requests, logins and messages still name the
# camera, which a relay at another `location` loses.
#
# Needs gst-launch-1.0 with rtspsrc (Debian 12: gstreamer1.0-tools, gstreamer1.0-plugins-good,
# 1.22.0) and python3. Ends with 0 while the finding holds, else with 1.
set -euo pipefail
gst-launch-1.0 --version | sed -n 2p
folder=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$folder"' EXIT

# Prints the first line that somebody sends, and hangs up.
cat >"$folder/proxy.py" <<'P'
import socket
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    print('heard', client.makefile().readline().strip(), flush=True)
    client.close()
P
python3 "$folder/proxy.py" >"$folder/log" &
server=$!
until grep -qs port "$folder/log"; do sleep 0.1; done
port=$(awk '/^port/ {print $2}' "$folder/log")

# An address that nobody has: only the proxy can be reached.
timeout 20 gst-launch-1.0 -q rtspsrc location=rtsp://192.0.2.1/a proxy=127.0.0.1:"$port" protocols=tcp \
  ! fakesink >"$folder/said" 2>&1 || true
grep heard "$folder/log" | head -1
grep -q '^heard OPTIONS rtsp://192.0.2.1\(:554\)\?/a RTSP/1.0$' "$folder/log"
