/**
 * Reads the input and output of a .tflite graph.
 *
 * LiteRT.js gives shapes and types but no quantization, so this reads the few fields it needs from
 * the file. Field numbers: schema.fbs of LiteRT, whose root type is `Model`.
 */

import { PageError } from '../errors';
import { Table } from './flatbuffer';
import type { Quantization } from './quantization';

export interface TensorInfo {
  shape: number[];
  dtype: string; // named as in NumPy
  quantization: Quantization;
}

export interface Graph {
  input: TensorInfo; // the image, (1, height, width, 3)
  output: TensorInfo; // the scores, (1, classes)
  givesLogits: boolean; // the output still needs a softmax
}

const MODEL = { codes: 1, subgraphs: 2 };
const SUBGRAPH = { tensors: 0, inputs: 1, outputs: 2, operators: 3 };
const OPERATOR = { code: 0, inputs: 1, outputs: 2 };
const CODE = { before128: 0, any: 3 };
const TENSOR = { shape: 0, type: 1, quantization: 4 };
const QUANTIZATION = { scale: 2, zeroPoint: 3 };
const SCORING = [14, 25]; // LOGISTIC, SOFTMAX
const MUL = 18;
const WRAPPING = [6, 22, 43, 114]; // DEQUANTIZE, RESHAPE, SQUEEZE, QUANTIZE
const DTYPES: Record<number, string> = {
  0: 'float32',
  1: 'float16',
  2: 'int32',
  3: 'uint8',
  4: 'int64',
  7: 'int16',
  9: 'int8',
};

/**
 * Reads input and output of an image classifier's graph.
 *
 * @throws PageError the file is not a .tflite model, or the model is not an image classifier.
 */
export function readGraph(data: Uint8Array, name: string): Graph {
  let inputs: TensorInfo[], outputs: TensorInfo[], givesLogits: boolean;
  try {
    const identifier = String.fromCharCode(...data.subarray(4, 8));
    if (identifier !== 'TFL3') throw new Error('not a TFL3 file');
    const model = Table.root(data);
    const main = model.tables(MODEL.subgraphs)[0]!;
    const tensors = main.tables(SUBGRAPH.tensors);
    inputs = main.int32s(SUBGRAPH.inputs).map((index) => describe(tensors[index]!));
    outputs = main.int32s(SUBGRAPH.outputs).map((index) => describe(tensors[index]!));
    givesLogits = !endsInScores(model, main);
  } catch {
    throw new PageError(`${name} is not a valid .tflite model; copy or export it again.`);
  }
  const [input, output] = [inputs[0], outputs[0]];
  if (inputs.length !== 1 || outputs.length !== 1 || !classifies(input!, output!)) {
    throw new PageError(
      `${name} is not an image classifier: expected one input [1, height, width, 3] and one ` +
        `output [1, classes], but got ${shapes(inputs)} and ${shapes(outputs)}.`,
    );
  }
  return { input: input!, output: output!, givesLogits };
}

/**
 * Returns whether the output comes from a softmax or logistic operation or a product of several,
 * perhaps through operations that keep the values. `edge_runtime` uses the same rule.
 */
function endsInScores(model: Table, main: Table): boolean {
  const codes = model
    .tables(MODEL.codes)
    .map((code) => Math.max(code.int8(CODE.before128), code.int32(CODE.any)));
  const makers = new Map<number, { code: number; inputs: number[] }>();
  for (const operator of main.tables(SUBGRAPH.operators)) {
    const code = codes[operator.uint32(OPERATOR.code)]!;
    const inputs = operator.int32s(OPERATOR.inputs);
    for (const output of operator.int32s(OPERATOR.outputs)) makers.set(output, { code, inputs });
  }
  const waiting = [main.int32s(SUBGRAPH.outputs)[0]!];
  const seen = new Set<number>();
  let found = false;
  for (let tensor = waiting.pop(); tensor !== undefined; tensor = waiting.pop()) {
    const maker = makers.get(tensor);
    if (!maker) return false;
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    if (SCORING.includes(maker.code)) {
      found = true;
      continue;
    }
    const made = maker.inputs.filter((input) => makers.has(input)); // constants have no maker
    const product = maker.code === MUL && made.length > 1;
    if (made.length === 0 || !(product || WRAPPING.includes(maker.code))) return false;
    waiting.push(...made);
  }
  return found;
}

function classifies({ shape: image }: TensorInfo, { shape: scores }: TensorInfo): boolean {
  return (
    image.length === 4 &&
    image[0] === 1 &&
    image[3] === 3 &&
    scores.length === 2 &&
    scores[0] === 1 &&
    Math.min(...image, ...scores) > 0
  );
}

function shapes(tensors: TensorInfo[]): string {
  return tensors.map(({ dtype, shape }) => `${dtype} [${shape.join(', ')}]`).join(', ') || 'none';
}

function describe(tensor: Table): TensorInfo {
  const type = tensor.int8(TENSOR.type);
  const dtype = DTYPES[type] ?? `type ${type}`;
  const quantization = tensor.table(TENSOR.quantization);
  return {
    shape: tensor.int32s(TENSOR.shape),
    dtype,
    quantization: {
      scale: quantization?.float32s(QUANTIZATION.scale)[0] ?? 0,
      zeroPoint: quantization?.int64s(QUANTIZATION.zeroPoint)[0] ?? 0,
    },
  };
}
