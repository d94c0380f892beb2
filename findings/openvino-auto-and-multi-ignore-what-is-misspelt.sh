#!/usr/bin/env bash
# One expects that OpenVINO refuses a device that does not exist, and a property that no device has, whatever
# word stands before them: `CPU` refuses an unknown property, and a device that is not there alone is an error.
#
# What happens: with AUTO and MULTI, both pass. `MULTI:XPU,CPU` and `AUTO:XPU,CPU` compile and run on the CPU,
# although no device has the name XPU, and so does AUTO with the property NUM_STREEMS. Nothing is
# raised and nothing is printed. Only EXECUTION_DEVICES of the compiled model tells where it runs.
#
# Why it matters: AUTO and MULTI are what people write to use a GPU if there is one. A slip of a letter, or a GPU
# whose driver is missing, gives figures of a CPU under the name of a GPU. Whoever measures must compare names
# with AVAILABLE_DEVICES and SUPPORTED_PROPERTIES first, and read back what was used.
#
# Uses openvino 2026.4.1 and numpy 2.2.6 of PyPI in a temporary environment; needs python3 with venv, 3.10 to 3.13. Ends
# with 0 while the finding holds, else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 numpy==2.2.6

cat >"$folder/try.py" <<'PYTHON'
import sys

import numpy
import openvino
from openvino import opset13

picture = opset13.parameter([1, 3, 8, 8], numpy.float32, name="picture")
model = openvino.Model([opset13.relu(picture)], [picture], "tiny")
core = openvino.Core()


def attempt(device, properties):
    try:
        compiled = core.compile_model(model, device, properties)
        compiled(numpy.zeros((1, 3, 8, 8), numpy.float32))
        return "runs on " + ",".join(compiled.get_property("EXECUTION_DEVICES"))
    except RuntimeError:
        return "is refused"


print("openvino", openvino.get_version(), "with", ", ".join(core.available_devices))
held = True
for device, properties, expected in [
    ("CPU", {"NUM_STREEMS": "2"}, "is refused"),
    ("XPU", {}, "is refused"),
    ("AUTO:CPU", {"NUM_STREEMS": "2"}, "runs on CPU"),
    ("MULTI:CPU", {"NUM_STREEMS": "2"}, "runs on CPU"),
    ("AUTO:XPU,CPU", {}, "runs on CPU"),
    ("MULTI:XPU,CPU", {}, "runs on CPU"),
]:
    found = attempt(device, properties)
    held &= found == expected
    print(device, properties or "", found)
sys.exit(0 if held else 1)
PYTHON
"$folder/venv/bin/python" "$folder/try.py"
