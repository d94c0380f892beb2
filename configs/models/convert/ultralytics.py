"""Converts weights of Ultralytics' YOLO (a `.pt` file) to OpenVINO's IR.

`lp` runs it: `python3 -I -S -B ultralytics.py PACKAGES WEIGHTS PRECISION CALIBRATION`. It works in the
current folder, which is empty, and leaves `model.xml` and `model.bin` there. CALIBRATION, for INT8,
is a video or a folder of pictures; otherwise it is empty.

The export is that of the package, with a static input of one picture of 640x640 pixels. What is
changed afterwards is one word: `model_type` says `YOLO`, which only newer DL Streamers understand,
and then only beside a `metadata.yaml`. The name of the layout is understood by all of them.

The package asks servers and installs packages when it misses something. Here it can do neither:
connections and other programs are refused. Weights are a pickle, so loading them executes them.
The program ends with its `lp`, whatever ends that.

Not here: the packages and the checks of what comes out, which are `lp`'s.
"""

import ctypes
import os
import signal
import sys

SIZE = 640

# The most pictures that calibrate: NNCF takes no more by default.
PICTURES = 300

ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")

SUFFIXES = {"detect": "", "segment": "_seg", "pose": "_pose", "obb": "_obb"}

REFUSED = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.sendto", "subprocess.", "os.system",
           "os.exec", "os.posix_spawn")


class Fault(Exception):
    """A reason for people."""


def refuse(event, arguments):
    if event.startswith(REFUSED):
        raise PermissionError(f"{event} is refused while a model is converted")


def load(weights):
    """The model, and the word for the layout of its output."""
    import shutil

    from ultralytics import YOLO

    # The export is named after the weights and lies beside them.
    shutil.copyfile(weights, "model.pt")
    try:
        model = YOLO("model.pt")
        task, head = model.task, model.model.model[-1]
    except Exception as error:
        raise Fault(f"the weights cannot be loaded, so they are none of Ultralytics' YOLO: {said(error)}") from error
    if task not in SUFFIXES:
        raise Fault(f"the weights are for the task `{task}`; a detector is needed ({', '.join(SUFFIXES)})")
    # A head without NMS has a layout of its own; that of YOLOv8, v9 and 11 is the same.
    layout = "yolo_v10" if getattr(head, "end2end", False) else "yolo_v11"
    return model, layout + SUFFIXES[task]


def pictures(calibration):
    """Puts pictures for the calibration into a folder, and returns how many there are."""
    import cv2

    os.mkdir("pictures")
    if os.path.isdir(calibration):
        names = sorted(name for name in os.listdir(calibration) if name.lower().endswith(ENDINGS))
        if not names:
            raise Fault(f"the folder for the calibration has no picture ({', '.join(ENDINGS)})")
        for n, name in enumerate(spread(names)):
            os.symlink(os.path.abspath(os.path.join(calibration, name)), f"pictures/{n:04}{os.path.splitext(name)[1]}")
    else:
        video, n_frames = cv2.VideoCapture(calibration), 0
        while video.grab():
            n_frames += 1
        wanted = set(spread(range(n_frames)))
        video = cv2.VideoCapture(calibration)
        for n in range(n_frames):
            is_there, frame = video.read()
            if is_there and n in wanted:
                cv2.imwrite(f"pictures/{n:06}.png", frame)
        if not os.listdir("pictures"):
            raise Fault("the file for the calibration is no video that can be decoded")
    return len(os.listdir("pictures"))


def spread(items):
    """At most `PICTURES` of them, evenly spread."""
    n = min(len(items), PICTURES)
    return [items[k * len(items) // n] for k in range(n)]


def export(model, precision, calibration):
    """Exports the model, and returns the folder with its files."""
    arguments = {"format": "openvino", "imgsz": SIZE, "batch": 1, "device": "cpu"}
    if precision == "FP32":
        return model.export(half=False, **arguments)
    if precision == "FP16":
        return model.export(half=True, **arguments)
    if precision != "INT8":
        raise Fault(f"the package exports FP32, FP16 and INT8, not {precision}")
    print(f"calibrating with {pictures(calibration)} pictures", flush=True)
    # Only the pictures count: nothing is trained, so classes and keypoints are never looked at.
    keypoints = getattr(model.model.model[-1], "kpt_shape", None)
    with open("calibration.yaml", "w", encoding="utf-8") as file:
        file.write("path: .\ntrain: pictures\nval: pictures\nnames: {0: none}\n")
        if keypoints:
            file.write(f"kpt_shape: {list(keypoints)}\n")
    return model.export(int8=True, data=os.path.abspath("calibration.yaml"), **arguments)


def name_layout(xml, layout):
    with open(xml, encoding="utf-8") as file:
        text = file.read()
    written = '<model_type value="YOLO" />'
    if text.count(written) != 1:
        raise Fault("the package has written no `model_type`: another version of it needs another program")
    with open(xml, "w", encoding="utf-8") as file:
        file.write(text.replace(written, f'<model_type value="{layout}" />'))


def said(error):
    """The first line of an error, since packages append advice."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def main():
    packages, weights, precision, calibration = sys.argv[1:]
    # PR_SET_PDEATHSIG, see prctl(2): a killed `lp` leaves nothing that would go on.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    sys.addaudithook(refuse)
    sys.path.insert(0, packages)
    os.environ.update(YOLO_AUTOINSTALL="false", YOLO_OFFLINE="true", YOLO_CONFIG_DIR=os.getcwd(),
                      MPLCONFIGDIR=os.getcwd())
    try:
        model, layout = load(weights)
        folder = export(model, precision, calibration)
        name_layout(os.path.join(folder, "model.xml"), layout)
        for name in ("model.xml", "model.bin"):
            os.replace(os.path.join(folder, name), name)
    except Fault as fault:
        sys.exit(f"fault: {fault}")
    except Exception as error:
        import traceback

        traceback.print_exc()
        sys.exit(f"fault: {said(error)}")


main()
