"""Random scenes to train on: checkouts with items, hands and codes of many sizes, colours and lights.

A scene has two pictures a second, so that no two are alike. The same seed gives the same scene.
`docs/scenes.md` describes the format.
"""

import colorsys
import random

DURATION_S = 25
FPS = 2

SIZES = [(1280, 720)] * 6 + [(960, 540), (960, 720), (1600, 900), (1920, 1080)]

# Of cameras further away, whose items are small in the picture.
FAR_SIZES = [(1600, 900), (1920, 1080)]


def text(seed, far=False):
    """The scene of a seed, as TOML."""
    one = random.Random(seed)
    width, height = one.choice(FAR_SIZES if far else SIZES)
    lines = [f"width = {width}", f"height = {height}", f"fps = {FPS}", f"duration_s = {DURATION_S}.0", f"seed = {seed}"]
    if one.random() < 0.6:
        lines.append(f'light = "{light(one)}"')
    lines.append("[zones]")
    for name, left in (("scan", 0.1), ("basket", 0.5)):
        if one.random() < 0.7:
            w, h = int(width * one.uniform(0.15, 0.35)), int(height * one.uniform(0.35, 0.8))
            x, y = int(width * (left + one.uniform(0, 0.12))), int((height - h) * one.random())
            lines.append(f"{name} = {{ x = {x}, y = {y}, width = {w}, height = {h} }}")
    n_still, n_moving = one.randint(0, 5), one.randint(3, 7)
    moves = [False] * n_still + [True] * n_moving
    one.shuffle(moves)
    # Larger pictures are of cameras further away, but also of finer ones.
    scale = 1 if far else one.uniform(1, max(1, width / 1280))
    for n, moving in enumerate(moves):
        lines += item(one, n, moving, width, height, scale)
    return "\n".join(lines) + "\n"


def light(one):
    level = one.uniform(0.28, 1)
    channels = [min(255, int(255 * level * one.uniform(0.75, 1.1))) for _ in range(3)]
    return "#%02x%02x%02x" % tuple(channels)


def colour(one):
    red, green, blue = colorsys.hsv_to_rgb(one.random(), one.random() ** 0.7, one.uniform(0.12, 0.97))
    return "#%02x%02x%02x" % tuple(int(255 * channel) for channel in (red, green, blue))


def item(one, n, moving, width, height, scale):
    w, h = int(one.triangular(100, 380, 190) * scale), int(one.triangular(140, 400, 230) * scale)
    name = "".join(one.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(one.randint(2, 10)))
    code = f"{n}-" + "".join(one.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") for _ in range(one.randint(2, 16)))
    lines = ["[[items]]", f'name = "{name} {n}"', f'code = "{code}"', f"width = {w}", f"height = {h}",
             f'colour = "{colour(one)}"']
    if one.random() < 0.25:
        lines.append("hand = false")

    def inside():
        return one.uniform(0, width), one.uniform(0, height)

    def outside():
        x, y = inside()
        return one.choice([(-w, y), (width + w, y), (x, -h)])

    places = [(0, *inside())]
    if moving:
        at_s = one.uniform(0, DURATION_S / 3)
        places = [(at_s, *outside())]
        for _ in range(one.randint(2, 6)):
            at_s += one.uniform(0.6, 3)
            here = inside()
            places.append((at_s, *here))
            if one.random() < 0.5:
                at_s += one.uniform(0.3, 2.5)
                places.append((at_s, *here))
        if one.random() < 0.6:
            places.append((at_s + one.uniform(0.6, 2), *outside()))
    keys = ", ".join(f"{{ at_s = {at_s:.2f}, x = {x:.0f}, y = {y:.0f} }}" for at_s, x, y in places)
    lines.append(f"path = [{keys}]")
    kind = one.random()
    if kind < 0.2:
        lines.append("code_visible = []")
    elif kind < 0.45:
        turned = one.uniform(3, DURATION_S - 3)
        part = (0, turned) if one.random() < 0.5 else (turned, DURATION_S)
        lines.append(f"code_visible = [{{ from_s = {part[0]:.2f}, to_s = {part[1]:.2f} }}]")
    return lines
