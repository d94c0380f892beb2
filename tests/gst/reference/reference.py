"""What models see in a clip, by means that share no code with lp-worker.

    python3 -m venv venv && venv/bin/pip install numpy openvino==2026.4.1
    venv/bin/python reference.py see '{"clip": "face.mp4", "model": "m.tflite", "kind": "mediapipe_face", ...}'
    venv/bin/python reference.py yolo CLIP MODEL.xml

`see` prints a list for each frame, with an object for each detection: class, score, box in parts of the
frame, and `sure` where a change of less than what is compared would remove it; or with the scores of the
best class, and of those that score alike. ffmpeg decodes; NumPy resizes the planes of a frame (bilinear, half-pixel centres, no
antialiasing, clamped at the edge of the region), each by itself, and converts them to RGB by the equations
of ITU-R BT.601 or BT.709 for limited range, in double precision; OpenVINO's own Python binding infers in
float32. The decoders are written from the descriptions of the formats:

- mediapipe_face: mediapipe/modules/face_detection/face_detection_{short,full}_range.pbtxt: a cell has its anchors
  at its centre. Of overlapping boxes the best is kept (MediaPipe takes a mean of them).
- mediapipe_ssd: mediapipe/calculators/tflite/ssd_anchors_calculator.proto and the options of
  object_detection_ssd_mobilenetv2_oidv4_fp16
- yolo: https://docs.ultralytics.com/modes/export/, raw outputs [1,4+C,N]
- classes: an output with a probability for each class

`yolo` builds such a model with weights out of a seeded generator: no package registry has a trained
one. Its scores are scaled by the first frame of the clip, so that a few of its cells see something.
"""

import json
import subprocess
import sys

import numpy
import openvino

# Parts of red and blue in luma.
MATRICES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


def probe(clip):
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-of", "json"]
    command += ["-show_entries", "stream=width,height,color_space", clip]
    stream = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"][0]
    width, height = stream["width"], stream["height"]
    space = stream.get("color_space", "unknown")
    # Of a stream that does not say: as GStreamer, which goes by the height.
    by_height = "bt709" if height > 576 else "bt601"
    return width, height, {"bt709": "bt709", "unknown": by_height}.get(space, "bt601")


def frames(clip, n):
    """Planes of the first frames, and the matrix of their colours."""
    width, height, matrix = probe(clip)
    half = (height + 1) // 2, (width + 1) // 2
    command = ["ffmpeg", "-v", "error", "-i", clip, "-frames:v", str(n), "-vsync", "0"]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    raw = numpy.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, numpy.uint8)
    whole, part = width * height, half[0] * half[1]
    for frame in raw.reshape(-1, whole + 2 * part):
        luma, blue, red = frame[:whole], frame[whole : whole + part], frame[whole + part :]
        yield (luma.reshape(height, width), blue.reshape(half), red.reshape(half)), matrix


def axis(n, at, length, halved):
    begin, end = at // halved, -(-(at + length) // halved)
    place = ((numpy.arange(n) + 0.5) * length / n + at) / halved - 0.5
    place = numpy.clip(place, begin, end - 1)
    first = numpy.floor(place).astype(int)
    return first, numpy.minimum(first + 1, end - 1), place - first


def resized(plane, region, size, halved):
    x, y, width, height = region
    (left, right, across), (upper, lower, down) = axis(size[0], x, width, halved), axis(size[1], y, height, halved)
    plane = plane.astype(numpy.float64)
    rows = plane[upper] * (1 - down)[:, None] + plane[lower] * down[:, None]
    return rows[:, left] * (1 - across) + rows[:, right] * across


def picture(planes, matrix, region, size):
    """Red, green and blue from 0 to 255."""
    luma, blue, red = (resized(plane, region, size, halved) for plane, halved in zip(planes, (1, 2, 2)))
    of_red, of_blue = MATRICES[matrix]
    luma = (luma - 16) / 219
    blue, red = (blue - 128) / 224, (red - 128) / 224
    r = luma + 2 * (1 - of_red) * red
    b = luma + 2 * (1 - of_blue) * blue
    g = (luma - of_red * r - of_blue * b) / (1 - of_red - of_blue)
    return numpy.clip(numpy.stack([r, g, b], -1) * 255, 0, 255)


def sigmoid(x):
    return 1 / (1 + numpy.exp(-numpy.clip(x.astype(numpy.float64), -100, 100)))


def corners(x, y, width, height):
    return numpy.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1)


def mediapipe_face(outputs, size):
    boxes, logits = sorted(outputs, key=lambda output: -output.shape[-1])
    grids = {896: [(16, 2), (8, 6)], 2304: [(48, 1)]}[boxes.shape[1]]
    places = [
        ((column + 0.5) / side, (row + 0.5) / side)
        for side, anchors in grids
        for row in range(side)
        for column in range(side)
        for _ in range(anchors)
    ]
    x, y = numpy.array(places).T
    box = boxes[0].astype(numpy.float64) / size[0]
    return corners(box[:, 0] + x, box[:, 1] + y, box[:, 2], box[:, 3]), sigmoid(logits[0, :, :1]), 0, 0.3, True


def mediapipe_ssd(outputs, size):
    boxes, logits = sorted(outputs, key=lambda output: output.shape[-1])
    scales = [0.2 + (0.95 - 0.2) * n / 5 for n in range(6)] + [1.0]
    anchors = []
    for n, stride in enumerate([16, 32, 64, 128, 256, 512]):
        shapes = [(scales[n], aspect) for aspect in (1.0, 2.0, 0.5, 3.0, 0.3333)]
        shapes.append(((scales[n] * scales[n + 1]) ** 0.5, 1.0))
        if n == 0:
            shapes = [(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]
        side = -(-size[0] // stride)
        for cell in range(side * side):
            for scale, aspect in shapes:
                place = (cell % side + 0.5) / side, (cell // side + 0.5) / side
                anchors.append((*place, scale * aspect**0.5, scale / aspect**0.5))
    x, y, width, height = numpy.array(anchors).T
    dy, dx, h, w = boxes[0].astype(numpy.float64).T
    places = corners(dx / 10 * width + x, dy / 10 * height + y, numpy.exp(w / 5) * width, numpy.exp(h / 5) * height)
    return places, sigmoid(logits[0, :, 1:]), 1, 0.5, False


def yolo(outputs, size):
    rows = outputs[0][0].astype(numpy.float64)
    x, y, width, height = rows[:4]
    boxes = corners(x / size[0], y / size[1], width / size[0], height / size[1])
    return boxes, rows[4:].T, 0, 0.4, True


def overlap(one, others):
    width = numpy.minimum(one[2], others[:, 2]) - numpy.maximum(one[0], others[:, 0])
    height = numpy.minimum(one[3], others[:, 3]) - numpy.maximum(one[1], others[:, 1])
    shared = numpy.clip(width, 0, None) * numpy.clip(height, 0, None)
    area = lambda box: (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1])
    return shared / numpy.maximum(area(one) + area(others) - shared, 1e-30)


def suppressed(boxes, classes, scores, threshold, limit, is_among_all):
    """The numbers of those that are kept, the best first."""
    left = [n for n in numpy.argsort(-scores, kind="stable") if scores[n] >= threshold]
    kept = []
    while left:
        n = left.pop(0)
        kept.append(n)
        others = numpy.array(left, int)
        hidden = overlap(boxes[n], boxes[others]) > limit
        if not is_among_all:
            hidden &= classes[others] == classes[n]
        left = [int(other) for other in others[~hidden]]
    return kept


def detections(decoder, outputs, size, threshold, region, frame):
    boxes, scores, first_class, limit, is_among_all = decoder(outputs, size)
    classes, best = scores.argmax(1), scores.max(1)
    keep = best >= threshold - 0.01
    boxes, classes, best = boxes[keep], classes[keep], best[keep]
    kept = suppressed(boxes, classes, best, threshold, limit, is_among_all)
    # What depends on less than the tolerance of the comparison: a score at the threshold, two that are
    # alike, an overlap at its limit.
    random = numpy.random.default_rng(1)
    others = [suppressed(boxes, classes, best, threshold + shift, limit, is_among_all) for shift in (-0.0005, 0.0005)]
    others += [suppressed(boxes, classes, best, threshold, limit + shift, is_among_all) for shift in (-0.0005, 0.0005)]
    for _ in range(6):
        scores = best + random.uniform(-0.0002, 0.0002, best.shape)
        others.append(suppressed(boxes, classes, scores, threshold, limit, is_among_all))
    some, all_of_them = set(kept).union(*others), set(kept).intersection(*others)
    x, y, width, height = region
    scale, shift = numpy.array([width, height] * 2), numpy.array([x, y] * 2)
    for n in kept + sorted(some - set(kept)):
        box = numpy.clip((boxes[n] * scale + shift) / (list(frame) * 2), 0, 1)
        one = {"class": int(classes[n]) + first_class, "score": round(float(best[n]), 6)}
        one["box"] = [round(float(side), 6) for side in box]
        if n not in all_of_them:
            one["sure"] = False
        yield one


def see(wanted):
    core = openvino.Core()
    model = core.read_model(wanted["model"])
    shape = model.input(0).partial_shape
    is_planar = shape[1] == 3
    sides = [shape[n] for n in ((3, 2) if is_planar else (2, 1))]
    size = [side.get_length() if side.is_static else wanted["side"] for side in sides]
    model.reshape([1, 3, size[1], size[0]] if is_planar else [1, size[1], size[0], 3])
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    mean, divisor = numpy.array(wanted.get("mean", 0.0)), numpy.array(wanted.get("divisor", 1.0))
    found = []
    for planes, matrix in frames(wanted["clip"], wanted["frames"]):
        whole = planes[0].shape[1], planes[0].shape[0]
        region = wanted.get("region", [0, 0, *whole])
        levels = picture(planes, matrix, region, size)
        if wanted.get("colour", "RGB") == "BGR":
            levels = levels[..., ::-1]
        tensor = ((levels - mean) / divisor).astype(numpy.float32)
        tensor = tensor.transpose(2, 0, 1) if is_planar else tensor
        results = compiled(numpy.ascontiguousarray(tensor[None]))
        outputs = [results[output] for output in compiled.outputs]
        if wanted["kind"] == "classes":
            scores = outputs[0].reshape(-1).astype(numpy.float64)
            # Classes that score alike may be taken for each other.
            found.append([{str(n): round(float(scores[n]), 6) for n in numpy.flatnonzero(scores >= scores.max() - 0.001)}])
        else:
            decoder = {"mediapipe_face": mediapipe_face, "mediapipe_ssd": mediapipe_ssd, "yolo": yolo}[wanted["kind"]]
            found.append(list(detections(decoder, outputs, size, wanted["threshold"], region, whole)))
    return found


def build_yolo(clip, path, width=1.0, side=640, classes=80):
    from openvino import opset13 as ops

    random = numpy.random.default_rng(7)

    def weights(*shape):
        return (random.standard_normal(shape) * (2 / numpy.prod(shape[1:])) ** 0.5).astype(numpy.float32)

    def convolved(data, kernel, stride):
        margin = [kernel.shape[-1] // 2] * 2
        return ops.convolution(data, ops.constant(kernel), [stride] * 2, margin, margin, [1, 1])

    data = ops.parameter([1, 3, side, side], numpy.float32, name="images")
    features, channels, levels = data, 3, []
    for n, more in enumerate([16, 32, 64, 96, 128]):
        more = int(more * width)
        features = ops.relu(convolved(features, weights(more, channels, 3, 3), 2))
        features = ops.relu(convolved(features, weights(more, more, 3, 3), 1)) if n > 0 else features
        channels = more
        if n >= 2:
            levels.append(convolved(features, weights(4 + classes, channels, 1, 1), 1))
    # Means and deviations of what the heads give for the first frame.
    planes, matrix = next(frames(clip, 1))
    first = picture(planes, matrix, [0, 0, planes[0].shape[1], planes[0].shape[0]], (side, side)) / 255
    probe = openvino.Model(levels, [data], "heads")
    probe = openvino.Core().compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    raw = list(probe(first.transpose(2, 0, 1)[None].astype(numpy.float32)).values())
    rows = []
    for level, seen, stride in zip(levels, raw, (8, 16, 32)):
        cells = side // stride
        mean = seen.mean((0, 2, 3), keepdims=True)
        scale = 1 / (seen.std((0, 2, 3), keepdims=True) + 1e-6)
        even = ops.multiply(ops.subtract(level, ops.constant(mean)), ops.constant(scale))
        even = ops.reshape(even, ops.constant(numpy.array([1, 4 + classes, cells * cells])), False)
        place, sizes, scores = ops.variadic_split(even, 1, [2, 2, classes]).outputs()
        grid = numpy.stack(numpy.meshgrid(numpy.arange(cells), numpy.arange(cells)), 0).reshape(1, 2, -1)
        grid = ((grid + 0.5) * stride).astype(numpy.float32)
        number = lambda value: ops.constant(numpy.float32(value))
        place = ops.add(ops.multiply(ops.tanh(place), number(stride)), ops.constant(grid))
        sizes = ops.multiply(ops.exp(ops.multiply(ops.clamp(sizes, -4.0, 4.0), number(0.3))), number(stride * 5))
        scores = ops.sigmoid(ops.subtract(scores, number(5.0)))
        rows.append(ops.concat([place, sizes, scores], 1))
    result = ops.concat(rows, 2)
    result.output(0).set_names({"output0"})
    data.output(0).set_names({"images"})
    model = openvino.Model([result], [data], "yolo")
    said = {"model_type": "YOLO", "scale_values": "255", "reverse_input_channels": "YES"}
    for key, value in said.items():
        model.set_rt_info(value, ["model_info", key])
    openvino.save_model(model, path, compress_to_fp16=False)


if __name__ == "__main__":
    if sys.argv[1] == "see":
        rows = (json.dumps(found) for found in see(json.loads(sys.argv[2])))
        print("[\n" + ",\n".join(rows) + "\n]")
    else:
        build_yolo(sys.argv[2], sys.argv[3], *map(float, sys.argv[4:5]))
