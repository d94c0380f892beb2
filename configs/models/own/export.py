"""Writes the trained network as an ONNX model, and quantises that to INT8.

The model takes pictures as DL Streamer gives them if nothing is said: BGR from 0 to 255, stretched to
256x144. Its output has the best 50 peaks of the heat maps, the best first, each with x_min, y_min, x_max,
y_max in pixels of the input, score and class (`yolo_v10`). A peak is a cell that is the best of the 3x3
around it, so nothing is left to suppress, and an item and the code on it do not fight.
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from net import CLASSES, COLUMNS, HEIGHT, ROWS, SIDES, STRIDE, WIDTH, is_head, layers

BEST = 50


def folded(weights, stats):
    """Kernel [out, in, y, x] and bias of each convolution, with its normalisation."""
    result = {}
    for name, *_ in layers():
        own = {key: np.asarray(value, "float64") for key, value in weights[name].items()}
        kernel = own["w"].transpose(3, 2, 0, 1)
        if is_head(name):
            bias = own["b"]
        else:
            gain = own["scale"] / np.sqrt(np.asarray(stats[name]["var"], "float64") + 1e-3)
            kernel = kernel * gain[:, None, None, None]
            bias = own["shift"] - np.asarray(stats[name]["mean"], "float64") * gain
        if name == "stem":
            kernel = kernel / 255
        result[name] = kernel.astype("float32"), bias.astype("float32")
    return result


def model(weights, stats, threshold):
    nodes, constants = [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(kind, inputs, name, **attributes):
        nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    kernels = folded(weights, stats)
    strides = {name: stride for name, _, _, _, stride in layers()}

    def conv(name, x):
        kernel, bias = kernels[name]
        pad = kernel.shape[2] // 2
        return node("Conv", [x, constant(name + ".w", kernel), constant(name + ".b", bias)], name,
                    strides=[strides[name]] * 2, pads=[pad] * 4, kernel_shape=list(kernel.shape[2:]))

    def relu(x):
        return node("Relu", [x], x + ".relu")

    def block(name, x):
        inside = conv(name + "b", relu(conv(name + "a", x)))
        return relu(node("Add", [x, inside], name))

    x = relu(conv("down1", relu(conv("stem", "image"))))
    x = relu(conv("down2", block("block1", x)))
    fine = block("block3", block("block2", x))
    x = conv("up", block("block5", block("block4", relu(conv("down3", fine)))))
    x = node("Resize", [x, "", constant("twice", np.array([1, 1, 2, 2], "float32"))], "larger", mode="nearest",
             coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    x = relu(conv("neck", relu(node("Add", [fine, x], "sum"))))

    n_cells = ROWS * COLUMNS
    heat = node("Sigmoid", [conv("heat", x)], "score")
    around = node("MaxPool", [heat], "around", kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
    is_peak = node("Cast", [node("Equal", [heat, around], "equal")], "peak", to=TensorProto.FLOAT)
    peaks = node("Mul", [heat, is_peak], "peaks")
    flat = node("Reshape", [peaks, constant("row", np.array([1, -1], "int64"))], "flat")
    nodes.append(helper.make_node("TopK", [flat, constant("best", np.array([BEST], "int64"))], ["scores", "places"],
                                  name="top", axis=1))

    shape = constant("by_class", np.array([len(CLASSES), SIDES, n_cells], "int64"))
    sides = node("Reshape", [conv("sides", x), shape], "sides_by_class")
    sides = node("Transpose", [sides], "sides_last", perm=[0, 2, 1])
    sides = node("Reshape", [sides, constant("boxes", np.array([-1, SIDES], "int64"))], "sides_of_boxes")
    sides = node("Clip", [sides, constant("least", np.float32(-6)), constant("most", np.float32(4))], "sides_within")
    away = node("Mul", [node("Exp", [sides], "away"), constant("outwards", STRIDE * np.array([-1, -1, 1, 1], "float32"))],
                "pixels_away")
    x, y = np.meshgrid((np.arange(COLUMNS) + 0.5) * STRIDE, (np.arange(ROWS) + 0.5) * STRIDE)
    centres = np.tile(np.stack([x, y, x, y], -1).reshape(-1, SIDES), (len(CLASSES), 1)).astype("float32")
    corners = node("Add", [away, constant("centres", centres)], "corners")
    found = node("Gather", [corners, "places"], "found", axis=0)
    last = constant("last", np.array([2], "int64"))
    classes = node("Div", ["places", constant("cells", np.array([n_cells], "int64"))], "class_numbers")
    classes = node("Unsqueeze", [node("Cast", [classes], "classes", to=TensorProto.FLOAT), last], "class_column")
    scores = node("Unsqueeze", ["scores", last], "score_column")
    node("Concat", [found, scores, classes], "detections", axis=2)

    graph = helper.make_graph(
        nodes, "checkout",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("detections", TensorProto.FLOAT, [1, BEST, SIDES + 2])], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="lp")
    made.ir_version = 8
    names = {number: name for number, name in enumerate(CLASSES)}
    said = {"task": "detect", "model_type": "yolo_v10", "names": str(names),
            "confidence_threshold": f"{threshold:.2f}"}
    helper.set_model_props(made, said)
    onnx.checker.check_model(made, full_check=True)
    return made


def quantise(source, pictures, threshold, target):
    """The model in INT8, as OpenVINO's IR, calibrated with pictures [n, height, width, 3] of the training."""
    import openvino

    # Otherwise the package tells a server how it is used.
    os.environ["NNCF_CI"] = "1"
    import nncf

    read = openvino.Core().read_model(source)
    inputs = [picture.transpose(2, 0, 1)[None].astype("float32") for picture in pictures]
    # Peaks are compared with their neighbours, so scores must stay as fine as they are; sides are logarithms.
    exact = nncf.IgnoredScope(types=["Sigmoid", "MaxPool", "Exp", "TopK"], names=["heat/WithoutBiases", "sides/WithoutBiases"])
    quantised = nncf.quantize(read, nncf.Dataset(inputs), subset_size=len(inputs), ignored_scope=exact,
                              preset=nncf.QuantizationPreset.MIXED)
    for key, value in {"model_type": "yolo_v10", "labels": " ".join(CLASSES),
                       "confidence_threshold": f"{threshold:.2f}"}.items():
        quantised.set_rt_info(value, ["model_info", key])
    openvino.save_model(quantised, target, compress_to_fp16=False)
