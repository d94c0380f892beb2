#!/usr/bin/env bash
# One expects that frames of an RTSP camera with B-frames come out of `rtspsrc` with times in the order of
# their RTP timestamps, and out of the decoder each with its own time.
#
# What happens: with the defaults (`buffer-mode=slave`, a jitter-free sender), a frame that is shown earlier
# often gets a later time than one that is shown after it, by some 0.2 s, for as long as this script looks.
# The correction for the clocks' skew takes a frame that is sent long before it is shown for a fast one, and one
# that is sent when it is shown for a slow one, and follows each of them. The decoder notices times that
# fall, and from then on gives each frame the least time of those that it holds: so times rise again, but
# are those of other frames. With `buffer-mode=none` all times are in order.
#
# Why it matters: a program that knows a frame by its time (to measure latency or lateness, to match
# detections with frames of another branch) takes one frame for another. Marks that pass parser and
# decoder do not err, such as GstReferenceTimestampMeta.
#
# Needs Debian 12's gstreamer1.0-plugins-base, -good, -bad (h264parse), -ugly (x264enc), gstreamer1.0-libav,
# gir1.2-gstreamer-1.0 (all 1.22.0) and python3-gi 3.42.2. Takes 9 s. Ends with 0 while the finding holds, else with 1.
set -euo pipefail
exec timeout 50 /usr/bin/python3 - <<'P'
import socket, sys, threading, time
import gi
gi.require_version('Gst', '1.0')
from gi.repository import Gst
Gst.init(None)
print(Gst.version_string(), '- rtpjitterbuffer', Gst.ElementFactory.find('rtpjitterbuffer').get_plugin().get_version())
FPS, SECONDS = 15, 6

# The camera's packets in the order in which they are sent: one frame has one timestamp.
encoder = Gst.parse_launch(
    f'videotestsrc pattern=ball num-buffers={FPS * SECONDS} ! video/x-raw,width=160,height=120,framerate={FPS}/1 '
    '! x264enc bframes=3 b-adapt=false key-int-max=60 option-string=b-pyramid=normal:scenecut=0 ! video/x-h264,profile=high '
    '! rtph264pay pt=96 config-interval=-1 timestamp-offset=0 ! appsink name=packets sync=false')
encoder.set_state(Gst.State.PLAYING)
packets = []
while sample := encoder.get_by_name('packets').emit('pull-sample'):
    packets.append(sample.get_buffer().extract_dup(0, sample.get_buffer().get_size()))
encoder.set_state(Gst.State.NULL)
def stamp(packet): return int.from_bytes(packet[4:8], 'big')

# A camera on loopback, which sends frames evenly.
def send(connection):
    start, frame, last = time.monotonic(), -1, None
    for packet in packets:
        if stamp(packet) != last:
            frame, last = frame + 1, stamp(packet)
            time.sleep(max(0, start + frame / FPS - time.monotonic()))
        connection.sendall(b'$\0' + len(packet).to_bytes(2, 'big') + packet)
    while connection.recv(4096): pass  # until the client closes

def camera(listener):
    connection = listener.accept()[0]
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = []
    for line in connection.makefile('rb'):
        request.append(line.decode().strip())
        if request[-1]: continue
        method, uri = request[0].split()[:2]
        number = next(l.split(':')[1] for l in request if l.lower().startswith('cseq:'))
        body = ('v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n'
                'a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track\r\n')
        head, body = {'OPTIONS': ('Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n', ''),
                      'DESCRIBE': (f'Content-Type: application/sdp\r\nContent-Base: {uri}/\r\n'
                                   f'Content-Length: {len(body)}\r\n', body),
                      'SETUP': ('Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n', '')
                      }.get(method, ('Session: 1\r\n', ''))
        connection.sendall(f'RTSP/1.0 200 OK\r\nCSeq:{number}\r\n{head}\r\n{body}'.encode())
        if method == 'PLAY': return send(connection)
        request = []

class Client:
    def __init__(self, mode):
        self.mode, self.times, self.decoded = mode, {}, []
        listener = socket.create_server(('127.0.0.1', 0))
        threading.Thread(target=camera, args=(listener,), daemon=True).start()
        self.pipeline = Gst.parse_launch(
            f'rtspsrc name=source location=rtsp://127.0.0.1:{listener.getsockname()[1]}/a protocols=tcp latency=300 '
            f'buffer-mode={mode} ! rtph264depay ! h264parse ! avdec_h264 max-threads=1 name=decoder ! fakesink sync=false')
        self.pipeline.get_by_name('source').connect(
            'pad-added', lambda _, pad: pad.add_probe(Gst.PadProbeType.BUFFER, self.leaves))
        self.pipeline.get_by_name('decoder').get_static_pad('src').add_probe(Gst.PadProbeType.BUFFER, self.shown)
        self.pipeline.set_state(Gst.State.PLAYING)
    def leaves(self, _pad, info):
        buffer = info.get_buffer()
        self.times.setdefault(stamp(buffer.extract_dup(0, 12)), buffer.pts)
        return Gst.PadProbeReturn.OK
    def shown(self, _pad, info):
        self.decoded.append(info.get_buffer().pts)
        return Gst.PadProbeReturn.OK
    def result(self):
        self.pipeline.set_state(Gst.State.NULL)
        times = [self.times[key] for key in sorted(self.times)]
        falls = [a - b for a, b in zip(times, times[1:]) if b < a]
        # The decoder gives frames in the order in which they are shown.
        others = sum(decoded != time for decoded, time in zip(self.decoded, times))
        print(f'buffer-mode={self.mode}: of {len(times)} frames, {len(falls)} have a time before that of the frame that is shown '
              f'before them, by {max(falls, default=0) / 1e9:.3f} s at most; of {len(self.decoded)} decoded, {others} have '
              'the time of another frame, or a new one')
        return len(falls), others

clients = [Client('slave'), Client('none')]
time.sleep(SECONDS + 2)
(falls, others), (none, own) = [client.result() for client in clients]
sys.exit(not (falls > 5 and others > 10 and none == 0 and own == 0))
P
