"""Measures a model on scenes: by NumPy, and by a run of `lp`.

A detection matches a box of its label if their intersection is half of their union or more; detections
are taken from the best score on, and each takes the box that it overlaps most. AP50 is the area under
the curve of precision over recall with all points (PASCAL VOC since 2010), mAP50 the mean over labels.
"""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np

from net import CLASSES, HEIGHT, WIDTH

# The least score of what is measured; the curve ends there.
LEAST = 0.05


def decoded(clip, width, height):
    """The frames of a clip: [n, height, width, 3], BGR."""
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", clip, "-vf", f"scale={width}:{height}:flags=bilinear",
               "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    raw = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, "uint8").reshape(-1, height, width, 3)


def reduced(frame):
    """A frame in the size of the network as `lp` makes it: bilinear, with half-pixel centres, without
    antialiasing."""
    def places(size, of):
        at = np.clip((np.arange(size) + 0.5) * of / size - 0.5, 0, of - 1)
        low = np.minimum(at.astype(int), of - 2)
        return low, (at - low).astype("float32")

    (rows, down), (columns, right) = places(HEIGHT, frame.shape[0]), places(WIDTH, frame.shape[1])
    down, right = down[:, None, None], right[None, :, None]
    upper, lower = frame[rows].astype("float32"), frame[rows + 1].astype("float32")
    both = upper * (1 - down) + lower * down
    return both[:, columns] * (1 - right) + both[:, columns + 1] * right


def truth(path):
    """Of each frame: its time in nanoseconds, and boxes as (class, [x_min, y_min, x_max, y_max])."""
    frames = []
    for line in Path(path).read_text().splitlines():
        frame = json.loads(line)
        boxes = []
        for one in frame["objects"]:
            bounds = one["detection"]["bounding_box"]
            corners = [bounds[side] for side in ("x_min", "y_min", "x_max", "y_max")]
            boxes.append((CLASSES.index(one["detection"]["label"]), corners))
        frames.append((frame["timestamp"], boxes))
    return frames


class Model:
    def __init__(self, path):
        import openvino

        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        self.compiled = openvino.Core().compile_model(path, "CPU", settings)

    def detections(self, frame):
        """(class, score, corners in parts of the frame), the best first."""
        [rows] = self.compiled(reduced(frame).transpose(2, 0, 1)[None]).values()
        size = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
        return [(int(row[5]), float(row[4]), np.clip(row[:4] / size, 0, 1)) for row in rows[0] if row[4] > LEAST]


def published(path):
    """What a run of `lp` found, by milliseconds, in whole pixels, as its report counts; frames without objects are
    left out."""
    frames = {}
    for line in Path(path).read_text().splitlines():
        frame = json.loads(line)
        width, height = (frame["resolution"][side] for side in ("width", "height"))
        frames[round(frame["timestamp"] / 1e6)] = [
            (CLASSES.index(one["detection"]["label"]), one["detection"]["confidence"],
             [one["x"] / width, one["y"] / height, (one["x"] + one["w"]) / width, (one["y"] + one["h"]) / height])
            for one in frame["objects"]]
    return frames


def whole(detections, width, height):
    """The same with boxes of whole pixels, as regions of interest have them."""
    def rounded(corners):
        x, y = round(corners[0] * width), round(corners[1] * height)
        w, h = round((corners[2] - corners[0]) * width), round((corners[3] - corners[1]) * height)
        return [x / width, y / height, (x + w) / width, (y + h) / height]

    return [(kind, score, rounded(corners)) for kind, score, corners in detections]


def overlap(a, b):
    inner = [min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])]
    shared = max(inner[0], 0) * max(inner[1], 0)
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    union = area(a) + area(b) - shared
    return shared / union if union > 0 else 0


def average_precisions(frames):
    """AP50 of each label over frames of (boxes of the truth, detections); labels that no frame has are left out."""
    result = {}
    for number, name in enumerate(CLASSES):
        n_expected, scored = 0, []
        for boxes, detections in frames:
            left = [corners for kind, corners in boxes if kind == number]
            n_expected += len(left)
            own = sorted((one for one in detections if one[0] == number), key=lambda one: -one[1])
            for _, score, corners in own:
                overlaps = [overlap(corners, box) for box in left]
                best = int(np.argmax(overlaps)) if overlaps else -1
                is_match = best >= 0 and overlaps[best] >= 0.5
                if is_match:
                    left.pop(best)
                scored.append((score, is_match))
        if n_expected == 0:
            continue
        scored.sort(key=lambda one: -one[0])
        matches = np.cumsum([is_match for _, is_match in scored])
        precision = matches / np.arange(1, len(scored) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        result[name] = float(sum(best[n] for n, (_, is_match) in enumerate(scored) if is_match) / n_expected)
    return result


def mean(values):
    return float(np.mean(list(values)))


def size_of(scene):
    """The picture of a camera for a scene: 360 rows, or 480 of 4:3."""
    import tomllib

    said = tomllib.loads(Path(scene).read_text())
    is_wide = said.get("width", 1280) * 9 == said.get("height", 720) * 16
    return (640, 360) if is_wide else (640, 480)


def by_lp(lp, folder, scenes, model):
    """Plays scenes as cameras with the model, and returns the figures of each: `report.json`'s."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("configs/scenes", "own"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    cameras = []
    for scene in scenes:
        shutil.copy(scene, folder / "configs/scenes")
        width, height = size_of(scene)
        cameras.append({"camera_id": scene.stem, "fileSrc": f"{scene.stem}.mp4|scene:{scene.stem}", "width": width,
                        "height": height, "fps": 15, "workloads": ["see"]})
    for file in model.parent.glob(model.stem + ".*"):
        shutil.copy(file, folder / "own")
    step = {"type": "gvadetect", "model": "checkout", "device": "CPU", "precision": "FP32", "inference_interval": 1,
            "threshold": LEAST, "properties": {"model": f"own/{model.name}"}}
    (folder / "Lpfile.toml").write_text('[run]\npace = "free"\ndialect = "native"\n')
    (folder / "configs/camera_to_workload.json").write_text(json.dumps({"lane_config": {"cameras": cameras}}))
    (folder / "configs/workload_to_pipeline.json").write_text(json.dumps({"workload_pipeline_map": {"see": [step]}}))
    subprocess.run([lp, "-C", folder, "run", "--no-verdict", "-q"], check=True, stdout=subprocess.DEVNULL)
    report = json.loads((folder / "results/latest/report.json").read_text())
    figures = {}
    for camera in report["measurement"]["cameras"]:
        [stream] = camera["streams"]
        [accuracy] = [one for one in stream["seen"][0]["accuracy"] if "truth" in one["with"]]
        figures[camera["camera"]] = accuracy
    return figures


def compared(lp, folder, scenes, model, say):
    """Measures a model on scenes both ways, and prints a row for each scene; returns all of it."""
    by_run = by_lp(lp, folder, scenes, model)
    loaded, every, table = Model(model), [], {}
    for scene in scenes:
        width, height = size_of(scene)
        frames = decoded(folder / f"media/clips/{scene.stem}-{width}x{height}-15.mp4", width, height)
        # The clip is played at 15 frames a second; the truth has the rate of its scene.
        by_time = {round(at / 1e6): boxes for at, boxes in truth(folder / f"media/{scene.stem}.boxes.jsonl")}
        of_lp = published(folder / f"results/latest/{scene.stem}/1/rs-{scene.stem}_1.jsonl")
        pairs, same = [], []
        for n, frame in enumerate(frames):
            ms = n * 1000 / 15
            near = min(by_time, key=lambda at: abs(at - ms))
            if abs(near - ms) <= 4:
                pairs.append((by_time[near], whole(loaded.detections(frame), width, height)))
                same.append((by_time[near], of_lp.get(round(ms), [])))
        every += pairs
        own, theirs = average_precisions(pairs), by_run[scene.stem]
        assert len(pairs) == theirs["frames"], (scene.stem, len(pairs), theirs["frames"])
        # Of the same detections, both must compute the same.
        for label, value in average_precisions(same).items():
            by_report = theirs["labels"].get(label, {}).get("ap50", 0)
            assert abs(value - by_report) < 0.001, (scene.stem, label, value, by_report)
        labels = {label: (own[label], theirs["labels"].get(label, {}).get("ap50")) for label in own}
        table[scene.stem] = {"frames": len(pairs), "map50": (mean(own.values()), theirs["map50"]), "labels": labels}
        shown = ", ".join(f"{label} {a:.3f} {b if b is None else round(b, 3)}" for label, (a, b) in labels.items())
        say(f"{scene.stem}: {len(pairs)} frames, mAP50 {mean(own.values()):.3f} {theirs['map50']:.3f}; {shown}")
    together = average_precisions(every)
    table["together"] = {"frames": len(every), "map50": mean(together.values()), "labels": together}
    say(f"together: mAP50 {mean(together.values()):.3f}; "
        + ", ".join(f"{label} {value:.3f}" for label, value in together.items()))
    return table
