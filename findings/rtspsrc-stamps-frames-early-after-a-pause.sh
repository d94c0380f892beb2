#!/usr/bin/env bash
# One expects that a frame which an RTSP camera (or the network) held back for a second looks a second
# late: its timestamp, as running time, is a second before its arrival. This is true for short pauses.
#
# What happens: after a pause longer than `latency` of `rtspsrc`, or longer than 1 s, the first held
# frame is stamped with the time of its arrival, as if it were on time, and the frames behind it lie
# up to 0.4 s in the future, many of them at one and the same time. No frame looks late, although the
# RTP timestamps are regular over the pause, and show that frames came up to 1 s late. After a pause
# of 0.7 s with `latency=2000`, or of 0.1 s with `latency=200`, frames look as late as they are.
#
# Why it matters: a program that uses running times to measure how late frames are, or to find frames
# that are too old for an alarm, does not see the pause. It must read the RTP timestamps of the packets
# instead, for example at the sink pad of `rtpjitterbuffer`.
#
# Needs Debian 12's gstreamer1.0-plugins-base, -good and -ugly (x264enc), gir1.2-gstreamer-1.0 (all
# 1.22.0) and python3-gi 3.42.2. Takes 8 s. Ends with 0 while the finding holds, else with 1.
set -euo pipefail
exec timeout 50 /usr/bin/python3 - <<'P'
import socket, sys, threading, time
import gi
gi.require_version('Gst', '1.0')
from gi.repository import Gst
Gst.init(None)
print(Gst.version_string(), '- rtspsrc', Gst.ElementFactory.find('rtspsrc').get_plugin().get_version())
FPS, BEFORE, AFTER = 25, 3, 1.5  # seconds of a stream before the pause and behind the held frames

# The camera's packets: H.264 with regular RTP timestamps.
encoder = Gst.parse_launch(
    f'videotestsrc num-buffers={int(FPS * (BEFORE + 1 + AFTER))} ! video/x-raw,width=64,height=48,framerate={FPS}/1 '
    '! x264enc tune=zerolatency key-int-max=25 ! rtph264pay pt=96 config-interval=-1 timestamp-offset=0 '
    '! appsink name=packets sync=false')
encoder.set_state(Gst.State.PLAYING)
packets = []
while sample := encoder.get_by_name('packets').emit('pull-sample'):
    packets.append(sample.get_buffer().extract_dup(0, sample.get_buffer().get_size()))
encoder.set_state(Gst.State.NULL)
def stamp(packet):  # seconds
    return int.from_bytes(packet[4:8], 'big') / 90000

# A camera on loopback. From second 3 on it holds its frames back for the pause, then sends them at once.
def send(connection, pause):
    start = time.monotonic()
    for packet in packets:
        due = stamp(packet) - stamp(packets[0])
        if BEFORE <= due < BEFORE + pause: due = BEFORE + pause
        time.sleep(max(0, start + due - time.monotonic()))
        connection.sendall(b'$\0' + len(packet).to_bytes(2, 'big') + packet)
    while connection.recv(4096): pass  # until the client closes

def camera(listener, pause):
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
        if method == 'PLAY': return send(connection, pause)
        request = []

class Client:
    def __init__(self, pause, latency):
        self.pause, self.latency, self.arrived, self.running = pause, latency, {}, {}
        listener = socket.create_server(('127.0.0.1', 0))
        threading.Thread(target=camera, args=(listener, pause), daemon=True).start()
        self.pipeline = Gst.parse_launch(
            f'rtspsrc name=source location=rtsp://127.0.0.1:{listener.getsockname()[1]}/a protocols=tcp '
            f'latency={latency} ! rtph264depay ! fakesink sync=false')
        self.pipeline.connect('deep-element-added', self.added)
        self.pipeline.get_by_name('source').connect(
            'pad-added', lambda _, pad: pad.add_probe(Gst.PadProbeType.BUFFER, self.leaves))
        self.pipeline.set_state(Gst.State.PLAYING)
    def added(self, _pipeline, _bin, element):
        if element.get_factory() and element.get_factory().get_name() == 'rtpjitterbuffer':
            element.get_static_pad('sink').add_probe(Gst.PadProbeType.BUFFER, self.arrives)
    def arrives(self, _pad, info):  # in seconds since the pipeline's start
        now = self.pipeline.get_clock().get_time() - self.pipeline.get_base_time()
        self.arrived.setdefault(stamp(info.get_buffer().extract_dup(0, 12)), now / 1e9)
        return Gst.PadProbeReturn.OK
    def leaves(self, pad, info):
        segment = pad.get_sticky_event(Gst.EventType.SEGMENT, 0).parse_segment()
        running = segment.to_running_time(Gst.Format.TIME, info.get_buffer().pts)
        self.running.setdefault(stamp(info.get_buffer().extract_dup(0, 12)), running / 1e9)
        return Gst.PadProbeReturn.OK
    def result(self):
        self.pipeline.set_state(Gst.State.NULL)
        frames = sorted(self.arrived)
        steps = {round(b - a, 3) for a, b in zip(frames, frames[1:])}
        fastest = min(self.arrived[frame] - frame for frame in frames)
        held = [f for f in frames if BEFORE <= f - frames[0] < BEFORE + self.pause and f in self.running]
        by_rtp = [self.arrived[f] - f - fastest for f in held]
        by_running = [self.arrived[f] - self.running[f] for f in held]
        last = max(self.running[f] for f in held)
        same = sum(self.running[f] > last - 0.01 for f in held)
        print(f'pause {self.pause} s, latency={self.latency}: RTP timestamps {steps} s apart; of {len(held)} held frames:\n'
              f'  late by RTP timestamps {min(by_rtp):+.2f} to {max(by_rtp):+.2f} s, '
              f'by running times {min(by_running):+.2f} to {max(by_running):+.2f} s, '
              f'{same} within 10 ms of the last')
        return steps == {1 / FPS} and max(by_rtp), min(by_running), max(by_running), same

clients = [Client(1, 200), Client(0.7, 200), Client(1.2, 2000), Client(0.7, 2000), Client(0.1, 200)]
time.sleep(BEFORE + 1 + AFTER + 2)
results = [client.result() for client in clients]
def early(late, first, last, same): return late > 0.6 and first < -0.25 and last < 0.3 and same > 1
def right(late, first, last, same): return abs(late - last) < 0.1 and first > -0.1 and same == 1
sys.exit(not (early(*results[0]) and early(*results[1]) and early(*results[2])
             and right(*results[3]) and right(*results[4])))
P
