"""The detector: a small network without anchors, its loss, and one step of its training, in JAX.

Pictures are 256x144 pixels, BGR. A stem and three stages halve them to cells of 16 pixels, whose features
are added to those of cells of 8 pixels. There each class has a heat map of centres and the distances of
the four sides from the cell. The heat is trained by the focal loss of CenterNet
(<https://arxiv.org/abs/1904.07850>), the sides by the generalised intersection over union
(<https://arxiv.org/abs/1902.09630>).
"""

import jax
import jax.numpy as jnp
import numpy as np

WIDTH, HEIGHT, STRIDE = 256, 144, 8
COLUMNS, ROWS = WIDTH // STRIDE, HEIGHT // STRIDE
CLASSES = ["item", "code", "hand"]
STEM, SMALL, MIDDLE, LARGE = 16, 24, 40, 64

# Of a box, from its cell: left, top, right and bottom, in cells, as logarithms.
SIDES = 4


def layers():
    """All convolutions: name, inputs, outputs, side of the kernel, stride."""
    all = [("stem", 3, STEM, 3, 2), ("down1", STEM, SMALL, 3, 2), ("block1", SMALL, SMALL, 3, 1),
           ("down2", SMALL, MIDDLE, 3, 2), ("block2", MIDDLE, MIDDLE, 3, 1), ("block3", MIDDLE, MIDDLE, 3, 1),
           ("down3", MIDDLE, LARGE, 3, 2), ("block4", LARGE, LARGE, 3, 1), ("block5", LARGE, LARGE, 3, 1),
           ("up", LARGE, MIDDLE, 1, 1), ("neck", MIDDLE, MIDDLE, 3, 1),
           ("heat", MIDDLE, len(CLASSES), 1, 1), ("sides", MIDDLE, len(CLASSES) * SIDES, 1, 1)]
    # A block is two convolutions around which its input is added.
    for name, inputs, outputs, side, stride in all:
        if name.startswith("block"):
            yield name + "a", inputs, outputs, side, stride
            yield name + "b", inputs, outputs, side, stride
        else:
            yield name, inputs, outputs, side, stride


def is_head(name):
    return name in ("heat", "sides")


def initial(seed):
    """Weights, and the means and variances of normalisation."""
    random = np.random.default_rng(seed)
    weights, stats = {}, {}
    for name, inputs, outputs, side, _ in layers():
        fan = inputs * side * side
        gain = 0.02 if is_head(name) else np.sqrt(2 / fan)
        weights[name] = {"w": (random.standard_normal((side, side, inputs, outputs)) * gain).astype("float32")}
        if is_head(name):
            # A cell in a hundred has a centre; sides are two cells away.
            bias = -4.6 if name == "heat" else np.log(2)
            weights[name]["b"] = np.full(outputs, bias, "float32")
        else:
            weights[name] |= {"scale": np.ones(outputs, "float32"), "shift": np.zeros(outputs, "float32")}
            stats[name] = {"mean": np.zeros(outputs, "float32"), "var": np.ones(outputs, "float32")}
    return weights, stats


def convolution(x, w, stride):
    pad = w.shape[0] // 2
    return jax.lax.conv_general_dilated(x, w, (stride, stride), ((pad, pad), (pad, pad)),
                                        dimension_numbers=("NHWC", "HWIO", "NHWC"))


def forward(weights, stats, pictures, training):
    """Heat as logits [n, rows, columns, classes], sides [n, rows, columns, classes, 4], and new statistics.

    `pictures` are BGR from 0 to 1: [n, height, width, 3]."""
    new = {}

    def conv(name, x, stride=1):
        w = weights[name]
        x = convolution(x, w["w"], stride)
        if is_head(name):
            return x + w["b"]
        if training:
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            new[name] = {"mean": mean, "var": var}
        else:
            mean, var = stats[name]["mean"], stats[name]["var"]
        return (x - mean) * (w["scale"] / jnp.sqrt(var + 1e-3)) + w["shift"]

    def block(name, x):
        return jax.nn.relu(x + conv(name + "b", jax.nn.relu(conv(name + "a", x))))

    x = jax.nn.relu(conv("stem", pictures, 2))
    x = jax.nn.relu(conv("down1", x, 2))
    x = block("block1", x)
    x = jax.nn.relu(conv("down2", x, 2))
    fine = block("block3", block("block2", x))
    x = jax.nn.relu(conv("down3", fine, 2))
    x = conv("up", block("block5", block("block4", x)))
    x = jax.nn.relu(fine + jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2))
    x = jax.nn.relu(conv("neck", x))
    sides = conv("sides", x)
    return conv("heat", x), sides.reshape(*sides.shape[:3], len(CLASSES), SIDES), new


def targets(boxes, classes):
    """What each cell should say of boxes [n, m, 4] (left, top, right, bottom in parts of the picture) of
    classes [n, m]: heat and whether it is a centre [n, rows, columns, classes], and a box for each."""
    size = jnp.array([COLUMNS, ROWS, COLUMNS, ROWS], "float32")
    boxes = boxes * size
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    spread = jnp.maximum((boxes[..., 2:] - boxes[..., :2]) * 0.12, 0.45)
    cell = jnp.floor(jnp.clip(centre, 0, jnp.array([COLUMNS, ROWS]) - 0.001))
    columns, rows = jnp.arange(COLUMNS), jnp.arange(ROWS)
    far_x = (columns[None, None] - cell[..., :1]) / spread[..., :1]
    far_y = (rows[None, None] - cell[..., 1:]) / spread[..., 1:]
    near = jnp.exp(-(far_y[..., :, None] ** 2 + far_x[..., None, :] ** 2) / 2)
    heat, best = [], []
    for number in range(len(CLASSES)):
        of_class = jnp.where((classes == number)[..., None, None], near, 0)
        heat.append(of_class.max(1))
        which = of_class.argmax(1)
        best.append(jnp.take_along_axis(boxes[:, :, None, None], which[:, None, :, :, None], axis=1)[:, 0])
    return jnp.stack(heat, -1), jnp.stack(best, -2)


def corners(sides):
    """Boxes in cells from sides."""
    x, y = jnp.meshgrid(jnp.arange(COLUMNS) + 0.5, jnp.arange(ROWS) + 0.5)
    centre = jnp.stack([x, y], -1)[None, :, :, None]
    away = jnp.exp(jnp.clip(sides, -6, 4))
    return jnp.concatenate([centre - away[..., :2], centre + away[..., 2:]], -1)


def loss(weights, stats, pictures, boxes, classes):
    heat, sides, new = forward(weights, stats, pictures, True)
    wanted, wanted_boxes = targets(boxes, classes)
    p = jnp.clip(jax.nn.sigmoid(heat), 1e-5, 1 - 1e-5)
    is_centre = wanted > 0.999
    focal = jnp.where(is_centre, -jnp.log(p) * (1 - p) ** 2, -jnp.log(1 - p) * p ** 2 * (1 - wanted) ** 4)
    n_centres = jnp.maximum(is_centre.sum(), 1)

    found = corners(sides)
    inner = jnp.clip(jnp.minimum(found[..., 2:], wanted_boxes[..., 2:])
                     - jnp.maximum(found[..., :2], wanted_boxes[..., :2]), 0)
    outer = jnp.clip(jnp.maximum(found[..., 2:], wanted_boxes[..., 2:])
                     - jnp.minimum(found[..., :2], wanted_boxes[..., :2]), 0)
    area = lambda box: jnp.clip(box[..., 2] - box[..., 0], 0) * jnp.clip(box[..., 3] - box[..., 1], 0)
    shared = inner[..., 0] * inner[..., 1]
    union = area(found) + area(wanted_boxes) - shared
    hull = outer[..., 0] * outer[..., 1]
    giou = shared / (union + 1e-6) - (hull - union) / (hull + 1e-6)
    weight = jnp.where(wanted > 0.3, wanted, 0)
    boxes_loss = (weight * (1 - giou)).sum() / jnp.maximum(weight.sum(), 1)
    return focal.sum() / n_centres + 2 * boxes_loss, new


def varied(key, pictures, boxes):
    """Pictures as floats, mirrored, with other lights, contrasts and noise; what is in them stays."""
    n = pictures.shape[0]
    mirror, gain, level, gamma, noise, grain = jax.random.split(key, 6)
    x = pictures.astype("float32") / 255
    mirrored = jax.random.bernoulli(mirror, 0.5, (n,))
    x = jnp.where(mirrored[:, None, None, None], x[:, :, ::-1], x)
    flipped = jnp.stack([1 - boxes[..., 2], boxes[..., 1], 1 - boxes[..., 0], boxes[..., 3]], -1)
    boxes = jnp.where(mirrored[:, None, None], flipped, boxes)
    x = x * jax.random.uniform(gain, (n, 1, 1, 3), minval=0.8, maxval=1.2)
    x = x ** jax.random.uniform(gamma, (n, 1, 1, 1), minval=0.8, maxval=1.3)
    x = x + jax.random.uniform(level, (n, 1, 1, 1), minval=-0.05, maxval=0.05)
    x = x + jax.random.normal(noise, x.shape) * jax.random.uniform(grain, (n, 1, 1, 1), maxval=0.02)
    return jnp.clip(x, 0, 1), boxes


def step(state, n, n_steps, rate, pictures, boxes, classes):
    """One step of Adam with decoupled weight decay; the averages of weights are what is used in the end."""
    weights, stats, first, second, average = state
    pictures, boxes = varied(jax.random.fold_in(jax.random.PRNGKey(1), n), pictures, boxes)
    (value, new), gradients = jax.value_and_grad(loss, has_aux=True)(weights, stats, pictures, boxes, classes)
    stats = jax.tree.map(lambda old, now: 0.95 * old + 0.05 * now, stats, new)
    norm = jnp.sqrt(sum((g ** 2).sum() for g in jax.tree.leaves(gradients)))
    gradients = jax.tree.map(lambda g: g * jnp.minimum(1, 10 / (norm + 1e-6)), gradients)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    warm = jnp.minimum(1, (n + 1) / 100)
    rate = rate * warm * (0.01 + 0.99 * (1 + jnp.cos(jnp.pi * n / n_steps)) / 2)

    def update(w, m, v):
        m, v = m / (1 - 0.9 ** (n + 1)), v / (1 - 0.999 ** (n + 1))
        decay = 1e-4 if w.ndim > 1 else 0
        return w - rate * (m / (jnp.sqrt(v) + 1e-8) + decay * w)

    weights = jax.tree.map(update, weights, first, second)
    keep = jnp.minimum(0.998, (n + 1) / (n + 10))
    average = jax.tree.map(lambda a, w: keep * a + (1 - keep) * w, average, (weights, stats))
    return (weights, stats, first, second, average), value
