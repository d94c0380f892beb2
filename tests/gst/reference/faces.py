"""The faces in face.mp4, by means that share no code with lp-worker: the expected values of
tests/gst/native.rs.

    python3 -m venv venv && venv/bin/pip install numpy openvino==2026.4.1
    venv/bin/python faces.py face.mp4 face_detection_short_range.tflite > faces.json

ffmpeg decodes; NumPy converts each frame to RGB at full size (BT.709, limited range) and resizes it
(bilinear, half-pixel centres, no antialiasing); OpenVINO's own Python binding infers in float32; the
decoder is written from MediaPipe's description of the model's anchors
(mediapipe/modules/face_detection/face_detection_short_range.pbtxt): 16x16 cells with 2 anchors each, then
8x8 cells with 6. Of overlapping boxes the best is kept (MediaPipe takes a mean of them).
"""

import json
import subprocess
import sys

import numpy
import openvino

SIZE, TENSOR = 320, 128
THRESHOLD, OVERLAP = 0.5, 0.3


def frames(clip):
    command = ["ffmpeg", "-v", "error", "-i", clip, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    raw = numpy.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, numpy.uint8)
    for frame in raw.reshape(-1, SIZE * SIZE * 3 // 2):
        luma = frame[: SIZE * SIZE].reshape(SIZE, SIZE).astype(numpy.float64)
        half = SIZE // 2
        blue, red = frame[SIZE * SIZE :].reshape(2, half, half).astype(numpy.float64)
        blue, red = (plane.repeat(2, 0).repeat(2, 1) - 128 for plane in (blue, red))
        luma = (luma - 16) * 255 / 219
        planes = [
            luma + 255 / 224 * 1.5748 * red,
            luma - 255 / 224 * (0.1873 * blue + 0.4681 * red),
            luma + 255 / 224 * 1.8556 * blue,
        ]
        yield numpy.clip(numpy.stack(planes, -1), 0, 255)


def resized(picture):
    at = numpy.clip((numpy.arange(TENSOR) + 0.5) * SIZE / TENSOR - 0.5, 0, SIZE - 1)
    first = numpy.floor(at).astype(int)
    second = numpy.minimum(first + 1, SIZE - 1)
    part = at - first
    rows = picture[first] * (1 - part)[:, None, None] + picture[second] * part[:, None, None]
    return rows[:, first] * (1 - part)[None, :, None] + rows[:, second] * part[None, :, None]


def anchors():
    for cells, per_cell in [(16, 2), (8, 6)]:
        for row in range(cells):
            for column in range(cells):
                for _ in range(per_cell):
                    yield (column + 0.5) / cells, (row + 0.5) / cells


def overlap(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return width * height / (area(one) + area(other) - width * height)


def main(clip, path):
    core = openvino.Core()
    model = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    places = numpy.array(list(anchors()))
    found = []
    for frame in frames(clip):
        tensor = (resized(frame) / 127.5 - 1).astype(numpy.float32)[None]
        outputs = {output.shape[-1]: value[0] for output, value in model(tensor).items()}
        scores = 1 / (1 + numpy.exp(-numpy.clip(outputs[1][:, 0].astype(numpy.float64), -100, 100)))
        centres = outputs[16][:, :2] / TENSOR + places
        sizes = outputs[16][:, 2:4] / TENSOR
        boxes = numpy.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
        kept = []
        for n in numpy.argsort(-scores):
            if scores[n] >= THRESHOLD and all(overlap(boxes[n], boxes[k]) <= OVERLAP for k in kept):
                kept.append(n)
        found.append([])
        for n in kept:
            box = [round(float(side), 4) for side in numpy.clip(boxes[n], 0, 1)]
            found[-1].append({"box": box, "score": round(float(scores[n]), 4)})
    return found


if __name__ == "__main__":
    rows = (json.dumps(faces) for faces in main(*sys.argv[1:]))
    print("[\n" + ",\n".join(rows) + "\n]")
