#!/usr/bin/env bash
# One expects that a wrong password is sent once, or twice, before a source gives up, and that it
# does not matter whether it is given in the URI or in the properties `user-id` and `user-pw`.
#
# What happens: given in the properties, `rtspsrc` repeats the refused request with the same
# password until it has been sent eight times; from the URI it is sent once. Basic and digest alike.
#
# Why it matters: cameras and recorders lock an account after a few failed attempts, so one start
# with a typing error in the password can lock out everybody who uses that account.
#
# Needs gst-launch-1.0 with rtspsrc (Debian 12: gstreamer1.0-tools, gstreamer1.0-plugins-good,
# 1.22.0) and python3. Ends with 0 while the finding holds, else with 1.
set -euo pipefail
gst-launch-1.0 --version | sed -n 2p
folder=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$folder"' EXIT

# A server that refuses every login, and writes a line for each attempt.
cat >"$folder/server.py" <<'P'
import socketserver
class Camera(socketserver.StreamRequestHandler):
    def handle(self):
        number = '0'
        for line in self.rfile:
            line = line.decode().strip()
            if line.lower().startswith('cseq:'): number = line.split(':')[1].strip()
            if line.lower().startswith('authorization:'): print('attempt', flush=True)
            if not line:
                self.wfile.write(('RTSP/1.0 401 Unauthorized\r\nCSeq: %s\r\n'
                                  'WWW-Authenticate: Digest realm="camera", nonce="1"\r\n\r\n' % number).encode())
server = socketserver.ThreadingTCPServer(('127.0.0.1', 0), Camera)
print('port', server.server_address[1], flush=True)
server.serve_forever()
P
python3 "$folder/server.py" >"$folder/log" &
server=$!
until grep -q port "$folder/log"; do sleep 0.1; done
port=$(awk '/^port/ {print $2}' "$folder/log")

attempts() { # the arguments of rtspsrc
  local before; before=$(grep -c attempt "$folder/log" || true)
  timeout 30 gst-launch-1.0 -q rtspsrc "$@" protocols=tcp ! fakesink >"$folder/said" 2>&1 || true
  echo $(($(grep -c attempt "$folder/log" || true) - before))
}
by_properties=$(attempts "location=rtsp://127.0.0.1:$port/a" user-id=bob user-pw=wrong)
by_uri=$(attempts "location=rtsp://bob:wrong@127.0.0.1:$port/a")
echo "user-id and user-pw: sent $by_properties times; in the URI: sent $by_uri times"
[ "$by_properties" = 8 ] && [ "$by_uri" = 1 ]
