"""Quantizing a network with any of its operations left in float."""

from dataclasses import replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.partial_int8 import partial_quantizer


def test_the_input_covers_every_pixel_value_whatever_the_images_contain(easy):
    dull = replace(easy.calibration, images=easy.calibration.images // 4 + 20)
    with partial_quantizer(replace(easy, calibration=dull)) as quantizer:
        graph = schema.ModelT.InitFromPackedBuf(quantizer.graph(()))
    [subgraph] = graph.subgraphs
    [first] = [op for op in subgraph.operators if op.inputs[0] == subgraph.inputs[0]]
    pixels = subgraph.tensors[first.outputs[0]].quantization
    assert pixels.scale[0] == np.float32(1 / 255)
    assert pixels.zeroPoint[0] == -128
