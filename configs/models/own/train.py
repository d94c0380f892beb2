"""Trains the detector of scenes, quantises it, and measures both on scenes that it has not seen.

    python3 -m venv /tmp/own && /tmp/own/bin/pip install -r configs/models/own/requirements.txt
    /tmp/own/bin/python configs/models/own/train.py --lp target/release/lp --work /tmp/own/work

It needs `lp` with its worker, `ffmpeg`, and 3 GB of disk. Pictures are drawn by `lp` from random scenes
(`scenes.py`), with their boxes; `scenes/held-out-*.toml` and `configs/scenes` are only measured. All that is
random has a seed. The models are written beside this file, the figures to the work folder.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

# The folder of the project stays as it is.
sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent

# Seeds of the scenes to train on, and of others to choose the threshold with; of cameras that are near and far.
SEEDS = {False: (range(1000, 1130), range(1130, 1140)), True: (range(2000, 2050), range(2050, 2054))}
BATCH = 24
MOST_BOXES = 48


def say(text):
    # With that of other programs, once they have ended.
    cpu_s = sum(os.times()[:4])
    print(f"[{time.monotonic() - BEGIN:7.1f} s, {cpu_s:7.1f} s of CPU] {text}", flush=True)


def draw(lp, folder):
    """Clips of all random scenes, by `lp`."""
    import scenes

    kinds = {seed: far for far, groups in SEEDS.items() for seeds in groups for seed in seeds}
    names = [name(seed) for seed in kinds]
    (folder / "configs/scenes").mkdir(parents=True, exist_ok=True)
    cameras = []
    for seed, far in kinds.items():
        (folder / f"configs/scenes/{name(seed)}.toml").write_text(scenes.text(seed, far))
        cameras.append({"camera_id": name(seed), "fileSrc": f"{name(seed)}.mp4|scene:{name(seed)}", "fps": scenes.FPS,
                        "workloads": ["codes"]})
    (folder / "Lpfile.toml").write_text("")
    (folder / "configs/camera_to_workload.json").write_text(json.dumps({"lane_config": {"cameras": cameras}}))
    workloads = {"workload_pipeline_map": {"codes": [{"type": "zbar"}]}}
    (folder / "configs/workload_to_pipeline.json").write_text(json.dumps(workloads))
    subprocess.run([lp, "-C", folder, "build", "-q", *(f"generate:{one}.mp4" for one in names)], check=True)
    say(f"{len(names)} random scenes are drawn")


def name(seed):
    return f"random-{seed:04}"


def pictures(folder, seeds):
    """All frames in the size of the network, uint8, with padded boxes and classes (-1: none)."""
    import numpy as np

    from measure import decoded, reduced, truth
    from net import HEIGHT, WIDTH

    all, boxes, classes = [], [], []
    for number, seed in enumerate(seeds):
        frames = truth(folder / f"media/{name(seed)}.boxes.jsonl")
        said = (folder / f"configs/scenes/{name(seed)}.toml").read_text().splitlines()
        width, height = (int(line.split("=")[1]) for line in said[:2])
        # Each second frame from a camera of another size, since cameras alias in their own ways.
        for half in (0, 1):
            rows = [270, 360, 360, 480, 720][(2 * number + 3 * half) % 5]
            columns = round(width * rows / height / 2) * 2
            clip = decoded(folder / f"media/{name(seed)}.mp4", columns, rows)
            assert len(clip) == len(frames), (seed, len(clip), len(frames))
            for (_, objects), frame in list(zip(frames, clip))[half::2]:
                all.append(np.rint(reduced(frame)).astype("uint8"))
                own, kinds = np.zeros((MOST_BOXES, 4), "float32"), np.full(MOST_BOXES, -1, "int32")
                for n, (kind, corners) in enumerate(objects[:MOST_BOXES]):
                    own[n], kinds[n] = corners, kind
                boxes.append(own)
                classes.append(kinds)
    assert all[0].shape == (HEIGHT, WIDTH, 3)
    return np.stack(all), np.stack(boxes), np.stack(classes)


def train(data, n_steps, rate):
    import jax
    import numpy as np

    import net

    images, boxes, classes = data
    weights, stats = net.initial(7)
    zeros = lambda: jax.tree.map(np.zeros_like, weights)
    state = (weights, stats, zeros(), zeros(), (weights, stats))
    step = jax.jit(lambda state, n, *batch: net.step(state, n, n_steps, rate, *batch), donate_argnums=0)
    random, order, values = np.random.default_rng(11), np.array([], int), []
    for n in range(n_steps):
        if len(order) < BATCH:
            order = np.concatenate([order, random.permutation(len(images))])
        chosen, order = order[:BATCH], order[BATCH:]
        state, value = step(state, n, images[chosen], boxes[chosen], classes[chosen])
        values.append(value)
        if n % 100 == 99 or n == 9:
            say(f"step {n + 1} of {n_steps}: loss {np.mean(values):.3f}")
            values = []
    return jax.tree.map(np.asarray, state[4])


def threshold(model, data):
    """Where precision and recall of the other random scenes balance (the best mean F1 of the labels)."""
    import numpy as np

    from measure import Model, overlap

    images, boxes, classes = data
    loaded, found = Model(model), []
    for image, own, kinds in zip(images, boxes, classes):
        left = [(kind, box) for kind, box in zip(kinds, own) if kind >= 0]
        expected = np.bincount([kind for kind, _ in left], minlength=3)
        hits = []
        for kind, score, corners in loaded.detections(image):
            match = next((n for n, (other, box) in enumerate(left) if other == kind and overlap(corners, box) >= 0.5), None)
            if match is not None:
                left.pop(match)
            hits.append((kind, score, match is not None))
        found.append((expected, hits))
    expected = sum(one for one, _ in found)
    # A model that was hardly trained finds nothing.
    hits = np.array([hit for _, hits in found for hit in hits]).reshape(-1, 3)

    def f1(least):
        scores = []
        for kind in range(3):
            own = hits[(hits[:, 0] == kind) & (hits[:, 1] > least)]
            n_right = own[:, 2].sum()
            scores.append(2 * n_right / (len(own) + expected[kind]))
        return np.mean(scores)

    candidates = np.arange(0.2, 0.71, 0.05)
    best = max(candidates, key=f1)
    say(f"threshold {best:.2f}: F1 {f1(best):.3f} on other random scenes")
    return float(best)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lp", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--into", type=Path, default=HERE)
    given = parser.parse_args()
    lp, work = given.lp.resolve(), given.work.resolve()
    import numpy as np

    import export
    import measure

    draw(lp, work / "random")
    data, others = ([np.concatenate(part) for part in zip(*(pictures(work / "random", seeds) for seeds in groups))]
                    for groups in zip(*SEEDS.values()))
    say(f"{len(data[0])} pictures to train on, with {(data[2] >= 0).sum()} boxes")

    weights, stats = train(data, given.steps, given.rate)
    n_weights = sum(kernel.size + bias.size for kernel, bias in export.folded(weights, stats).values())
    say(f"trained {n_weights} weights")
    (work / "models").mkdir(exist_ok=True)
    exact, int8 = work / "models/checkout.onnx", work / "models/checkout-int8.xml"
    exact.write_bytes(export.model(weights, stats, 0.5).SerializeToString())
    least = threshold(exact, others)
    exact.write_bytes(export.model(weights, stats, least).SerializeToString())
    export.quantise(exact, data[0][::max(1, len(data[0]) // 300)][:300], least, int8)

    figures = {"threshold": least, "weights": n_weights}
    held_out = sorted((HERE / "scenes").glob("held-out-*.toml"))
    shipped = sorted((HERE.parents[1] / "scenes").glob("*.toml"))
    for model in (exact, int8):
        for label, scenes in (("held out", held_out), ("shipped", shipped)):
            say(f"{model.name}, scenes {label}: mAP50 by NumPy, by `lp run`")
            figures[f"{model.name}, {label}"] = measure.compared(lp, work / "measured", scenes, model, say)
    (work / "figures.json").write_text(json.dumps(figures, indent=2))
    given.into.mkdir(parents=True, exist_ok=True)
    for file in sorted((work / "models").iterdir()):
        shutil.copy(file, given.into)
        say(f"{file.name}: {file.stat().st_size} bytes, SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()}")


BEGIN = time.monotonic()
if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    main()
