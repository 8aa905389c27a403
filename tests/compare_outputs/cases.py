"""The command lines that are compared.

Each is one line of arguments:

- `{http}` is the address of a server of the inputs.
- `{overwrite}` is `--overwrite`, or nothing for a checkout that has no such option.
- `< FILE` gives standard input.
- `&&` separates commands that run one after the other in the same folder.
- A command that begins with `KILL` or `INTERRUPT` gets that signal when it has written results.
"""

from __future__ import annotations

from importlib.util import find_spec
from itertools import product

FORMATS = ("", "--json", "--csv")
SHIPPED = ("cnn-int8", "cnn-float32", "resnet18-int8")
GOLDEN = ("float32", "grey", "image_to_image", "int16", "int8", "logits", "no_image")
GOLDEN += ("two_inputs", "uint8", "unlabelled")

# Each with every format.
SOURCES = [
    "inputs/samples/cat.png",
    "inputs/samples",
    "inputs/encodings",
    "inputs/folder",
    "inputs/folder inputs/samples/dog.png",
    "inputs/many",
    "inputs/many --threads 1",
    "inputs/bad",
    "inputs/odd",
    "inputs/empty inputs/samples/cat.png",
    "'inputs/samples/t*.png'",
    "'inputs/folder/**/*.png'",
    "'inputs/nothing-*.png'",
    "'inputs/odd/[[]1].png'",
    "- < inputs/samples/cat.png",
    "- < inputs/names.txt",
    "- --threads 2 < inputs/names.txt",
    "- < inputs/no-names.txt",
    "inputs/missing.png inputs/samples/cat.png",
    "{http}/samples/cat.png",
    "{http}/samples/missing.png {http}/names.txt",
    "http://127.0.0.1:9/cat.png",
    "inputs/broken.avi",
    "inputs/samples --top-k 3",
    "inputs/samples --top-k 99",
    "inputs/samples --threshold 0.9",
    "inputs/samples --threshold 0.9 --top-k 10",
    "inputs/samples --threshold 1",
    "inputs/samples --delegate cpu",
    "inputs/samples --delegate auto",
    "inputs/samples --delegate gpu",
    "inputs/samples --delegate npu",
    "inputs/samples --delegate inputs/missing.so",
    "inputs/samples --labels inputs/labels.txt",
    "inputs/samples --labels inputs/short-labels.txt",
    "inputs/encodings/photograph.png --fit stretch",
    "inputs/encodings/photograph.png --fit pad",
    "inputs/samples --mean 120 --std 60 --model inputs/models/cnn-float32.tflite",
    "inputs/samples --mean 120,110,100 --std 60,61,62 --model inputs/models/cnn-float32.tflite",
    "inputs/samples --mean 1,2 --model inputs/models/cnn-float32.tflite",
    "inputs/samples --std 0 --model inputs/models/cnn-float32.tflite",
    *(f"inputs/samples --top-k 2 --model {model}" for model in SHIPPED),
    *(f"inputs/samples --model inputs/models/{model}.tflite" for model in SHIPPED),
    *(f"inputs/samples/cat.png --model inputs/models/golden-{model}.tflite" for model in GOLDEN),
    "inputs/samples/cat.png --model inputs/models/truncated.tflite",
    "inputs/samples/cat.png --model inputs/models/text.tflite",
    "inputs/samples/cat.png --model inputs/models/missing.tflite",
    "inputs/samples/cat.png --model no-such-model",
]
VIDEOS = [
    "inputs/video.avi",
    "inputs/video.avi --top-k 2 inputs/samples/cat.png",
    "inputs/video.avi --every 3",
    "inputs/video.avi --max-frames 4",
    "inputs/video.avi --every 2 --max-frames 2",
    "inputs/video.avi --duration 100",
]
# To a file; the second command finds the results of the first.
FILES = [
    "{format} --out {out} inputs/samples",
    "{format} --out {out} inputs/folder && {format} --out {out} {overwrite} inputs/samples",
    "{format} --out {out} inputs/samples && {format} --out {out} --resume inputs/samples",
    "{format} --out {out} inputs/samples/cat.png && {format} --out {out} --resume inputs/samples",
    "{format} --out {out} inputs/bad && {format} --out {out} --resume inputs/bad inputs/samples",
    "KILL {format} --out {out} inputs/many && {format} --out {out} --resume inputs/many",
    "KILL {format} --out {out} inputs/many && {format} --out {out} {overwrite} inputs/samples",
    "KILL {format} --out {out} inputs/many && {format} --out {out} --resume --top-k 2 inputs/many",
    "KILL {format} --out {out} inputs/many && "
    "{format} --out {out} --resume --model cnn-float32 inputs/many",
    "INTERRUPT {format} --out {out} inputs/many && {format} --out {out} --resume inputs/many",
]
OF_VIDEOS = [
    "{format} --out {out} inputs/video.avi && "
    "{format} --out {out} --resume inputs/video.avi inputs/samples",
]
# What makes no sense, and what prints no results.
OTHERS = [
    "",
    "--help",
    "--version",
    "--delegates",
    "--no-such-option inputs/samples/cat.png",
    "--json --csv inputs/samples/cat.png",
    "--top-k 0 inputs/samples/cat.png",
    "--top-k two inputs/samples/cat.png",
    "--threshold nan inputs/samples/cat.png",
    "--threshold 2 inputs/samples/cat.png",
    "--threads 0 inputs/samples/cat.png",
    "--every 0 inputs/samples/cat.png",
    "--duration nan inputs/samples/cat.png",
    "--fit squeeze inputs/samples/cat.png",
    "--gpu-precision fp8 inputs/samples/cat.png",
    "--delegate '' inputs/samples/cat.png",
    "--delegate tpu inputs/samples/cat.png",
    "--mean x inputs/samples/cat.png",
    "--labels inputs/missing.txt inputs/samples/cat.png",
    "--resume inputs/samples/cat.png",
    "--resume --out results.txt inputs/samples/cat.png",
    "--out '' inputs/samples/cat.png",
    "--out inputs/samples inputs/samples/cat.png",
    "--out missing/results.txt inputs/samples/cat.png",
    "--json --out results.json inputs/samples/cat.png && "
    "--csv --resume --out results.json inputs/samples/cat.png",
    "--info --csv cnn-int8",
    *(f"--info {model}" for model in SHIPPED),
    *(
        f"--info {form} inputs/models/{model}.tflite"
        for form in ("", "--json")
        for model in SHIPPED
    ),
    *(
        f"--info {form} inputs/models/golden-{model}.tflite"
        for form in ("", "--json")
        for model in GOLDEN
    ),
    "--info inputs/models/text.tflite cnn-int8",
    "--info --json inputs/models/text.tflite inputs/models/missing.tflite",
]
RAY = [
    "--ray inputs/samples/cat.png",
    "--ray --csv --out results.csv inputs/samples/cat.png",
    "--ray --out results.parquet --delegate gpu inputs/samples/cat.png",
    "--ray --out results.parquet --max-frames 2 inputs/samples/cat.png",
    "--ray --out results.parquet - < inputs/names.txt",
    "--ray --out results.parquet --top-k 2 inputs/folder inputs/many && "
    "--ray --out results.parquet --top-k 2 --resume inputs/folder inputs/many",
    "--ray --json --out results inputs/folder inputs/bad inputs/many && "
    "--ray --json --out results --resume --top-k 3 inputs/folder inputs/bad inputs/many",
]
# `edge-benchmark`; its times are not compared.
BENCHMARK = [
    "--help",
    "--version",
    "--calls 20 --cold-starts 1 --json",
    "--calls 20 --cold-starts 1 cnn-int8 cnn-float32",
    "--calls 20 --cold-starts 0 --json --threads 1 --threads 2 --batch 1 --batch 4 cnn-int8",
    "--calls 20 --cold-starts 0 --json --delegate cpu --delegate gpu cnn-int8",
    "--calls 20 --cold-starts 0 --json --images inputs/encodings cnn-int8 --sustained 0.5",
    "--calls 20 --cold-starts 0 --out record.json cnn-int8 && "
    "--calls 20 --cold-starts 0 --compare record.json --tolerance 100000 cnn-int8",
    "--calls 20 --cold-starts 0 --json inputs/models/text.tflite cnn-int8",
    "--calls 20 --cold-starts 0 --json inputs/models/golden-int8.tflite",
    "--calls 1 cnn-int8",
    "--baseline other --calls 20 cnn-int8",
    "--compare inputs/names.txt --calls 20 cnn-int8",
    "--images inputs/bad --calls 20 cnn-int8",
    "--images inputs/empty --calls 20 cnn-int8",
    "--tolerance nan --calls 20 cnn-int8",
    "no-such-model",
]


def commands() -> list[str]:
    """Return all command lines, each beginning with the command's name."""
    videos, ray = (bool(find_spec(name)) for name in ("cv2", "ray"))
    lines = [f"{form} {sources}" for sources, form in product(SOURCES, FORMATS)]
    lines += [f"{form} {sources}" for sources, form in product(VIDEOS * videos, FORMATS)]
    for line, form in product(FILES + OF_VIDEOS * videos, ("", "--json", "--csv")):
        if form or "--resume" not in line:
            name = f"results.{form.strip('-') or 'txt'}"
            lines.append(line.replace("{format}", form).replace("{out}", name))
    lines += OTHERS + RAY * ray
    return [f"edge-classify {line}" for line in lines] + [f"edge-benchmark {b}" for b in BENCHMARK]
