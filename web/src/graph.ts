/**
 * What a .tflite graph says about its input and output.
 *
 * LiteRT.js tells shapes and types, but no quantization, so the few fields that are needed are read
 * from the file. Field numbers: schema.fbs of LiteRT, whose root type is `Model`.
 */

import { ByteBuffer } from 'flatbuffers';
import { PageError } from './errors';
import type { Quantization } from './quantization';

export type DType = 'float32' | 'uint8' | 'int8';

export interface TensorInfo {
  shape: number[];
  dtype: DType;
  quantization: Quantization;
}

export interface Graph {
  input: TensorInfo; // the picture, (1, height, width, 3)
  output: TensorInfo; // the scores, (1, classes)
}

const MODEL = { subgraphs: 2 };
const SUBGRAPH = { tensors: 0, inputs: 1, outputs: 2 };
const TENSOR = { shape: 0, type: 1, quantization: 4 };
const QUANTIZATION = { scale: 2, zeroPoint: 3 };
const DTYPES: Record<number, DType> = { 0: 'float32', 3: 'uint8', 9: 'int8' };

/**
 * Reads input and output of an image classifier's graph.
 *
 * @throws PageError the file is no .tflite model, or no image classifier.
 */
export function readGraph(data: Uint8Array, name: string): Graph {
  let inputs: TensorInfo[], outputs: TensorInfo[];
  try {
    const buffer = new ByteBuffer(data);
    if (!buffer.__has_identifier('TFL3')) throw new Error('no TFL3 file');
    const model = new Table(buffer, buffer.readInt32(0));
    const main = model.tables(MODEL.subgraphs)[0]!;
    const tensors = main.tables(SUBGRAPH.tensors);
    inputs = main.int32s(SUBGRAPH.inputs).map((index) => describe(tensors[index]!));
    outputs = main.int32s(SUBGRAPH.outputs).map((index) => describe(tensors[index]!));
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
  return { input: input!, output: output! };
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
  const dtype = DTYPES[type] ?? (`type ${type}` as DType);
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

/** A flatbuffers table whose fields are named by their number in the schema. */
class Table {
  constructor(
    private readonly buffer: ByteBuffer,
    private readonly at: number,
  ) {}

  int8(field: number): number {
    const at = this.field(field);
    return at === 0 ? 0 : this.buffer.readInt8(at);
  }

  table(field: number): Table | undefined {
    const at = this.field(field);
    return at === 0 ? undefined : new Table(this.buffer, this.buffer.__indirect(at));
  }

  tables(field: number): Table[] {
    return this.vector(field, 4, (at) => new Table(this.buffer, this.buffer.__indirect(at)));
  }

  int32s(field: number): number[] {
    return this.vector(field, 4, (at) => this.buffer.readInt32(at));
  }

  int64s(field: number): number[] {
    return this.vector(field, 8, (at) => Number(this.buffer.readInt64(at)));
  }

  float32s(field: number): number[] {
    return this.vector(field, 4, (at) => this.buffer.readFloat32(at));
  }

  private field(number: number): number {
    const offset = this.buffer.__offset(this.at, 4 + 2 * number); // after two sizes, uint16 each
    return offset === 0 ? 0 : this.at + offset;
  }

  private vector<T>(field: number, bytes: number, read: (at: number) => T): T[] {
    const at = this.field(field);
    if (at === 0) return [];
    const start = this.buffer.__vector(at);
    const length = this.buffer.__vector_len(at);
    if (start < 0 || length < 0 || start + length * bytes > this.buffer.capacity()) {
      throw new RangeError('a vector leaves the file');
    }
    return Array.from({ length }, (_, i) => read(start + i * bytes));
  }
}
