/** Classifies images: from pixels to classes with their scores. */

import { PageError } from '../errors';
import type { DecodedImage } from '../inputs/decode';
import { NONE_OF_THESE, readSidecar } from './acceptance';
import { Engine, type Accelerator } from './engine';
import { readGraph, type Graph } from './graph';
import { readMetadata, type Metadata } from './metadata';
import { fit } from './preprocessing';
import { assumedNormalization, dequantize, pixelTables } from './quantization';
import { scoresAgree, softmax } from './scores';

export interface Prediction {
  label: string;
  index: number; // of the class in the model's output
  score: number; // after softmax, 0-1
}

export interface Result {
  predictions: Prediction[]; // all classes, best first
  accepted: boolean; // false if the best score is below the model's threshold
  seen: Uint8Array; // the network's input pixels, (height, width, 3), RGB, 0-255
  runMs: number; // from pixels to scores
}

/** An image classifier loaded from a .tflite file. */
export class Classifier {
  private constructor(
    readonly bytes: number,
    readonly graph: Graph,
    readonly metadata: Metadata,
    readonly engine: Engine,
    private readonly tables: Float64Array[],
  ) {}

  /**
   * Loads a model.
   *
   * LiteRT accepts some graphs on the GPU and computes them wrongly there. So the GPU's scores for
   * a few images are compared with the CPU's.
   *
   * @param images returns the images to compare; it is only called if a GPU runs the graph.
   * @param sidecar the content of the file beside the model, whose threshold counts.
   * @throws PageError the model or the file beside it is damaged, the model is no image classifier
   *   or does not run in this browser, or the GPU computes it wrongly.
   */
  static async load(
    data: Uint8Array,
    name: string,
    accelerator: Accelerator,
    images: () => Promise<DecodedImage[]>,
    sidecar?: string,
  ): Promise<Classifier> {
    const graph = readGraph(data, name);
    const metadata = await readMetadata(data, name);
    checkTypes(graph, name);
    metadata.labels = labelsFor(graph, metadata.labels, name);
    if (sidecar !== undefined) metadata.threshold = await readSidecar(sidecar, data, name);
    const { input } = graph;
    const size = input.shape.reduce((product, length) => product * length);
    const warmUp = input.dtype === 'uint8' ? new Uint8Array(size) : new Float32Array(size);
    const normalization = metadata.normalization ?? assumedNormalization(input.quantization);
    const tables = pixelTables(normalization, input.quantization);
    const on = async (where: Accelerator) => {
      const engine = await Engine.load(data, where, warmUp, input.shape);
      return new Classifier(data.length, graph, metadata, engine, tables);
    };
    const classifier = await on(accelerator);
    if (classifier.engine.accelerator === 'webgpu') {
      try {
        const reference = await on('wasm');
        try {
          await classifier.ensureAgrees(reference, name, await images());
        } finally {
          reference.close();
        }
      } catch (error) {
        classifier.close();
        throw error;
      }
    }
    return classifier;
  }

  private async ensureAgrees(
    reference: Classifier,
    name: string,
    images: DecodedImage[],
  ): Promise<void> {
    const [, height, width] = this.graph.input.shape as [number, number, number];
    for (const image of images) {
      const seen = fit(image, width, height);
      const [ours, theirs] = [await this.run(seen), await reference.run(seen)];
      if (!scoresAgree(this.scores(ours.raw), this.scores(theirs.raw))) {
        throw new PageError(
          `The GPU in this browser computes ${name} wrongly: its scores differ from the CPU's; ` +
            `use the CPU.`,
        );
      }
    }
  }

  /**
   * Classifies one image.
   *
   * @throws PageError a score is NaN or infinite.
   */
  async classify(image: DecodedImage): Promise<Result> {
    const [, height, width] = this.graph.input.shape as [number, number, number];
    const seen = fit(image, width, height);
    const { runMs, raw } = await this.run(seen);
    const scores = this.scores(raw);
    if (!scores.every(Number.isFinite)) {
      throw new PageError('The model gives scores that are NaN or infinite; export it again.');
    }
    const { labels, threshold = -Infinity } = this.metadata;
    const classes = labels.at(-1) === NONE_OF_THESE ? scores.slice(0, -1) : scores;
    const predictions = classes
      .map((score, index) => ({ label: labels[index]!, index, score }))
      .sort((a, b) => b.score - a.score); // stable: on a tie the lower index comes first
    return { predictions, accepted: predictions[0]!.score >= threshold, seen, runMs };
  }

  /**
   * Runs the network once and measures the time from pixels to output.
   *
   * @param seen uint8 (height, width, 3), RGB, of the network's input size.
   */
  async run(seen: Uint8Array): Promise<{ runMs: number; raw: ArrayLike<number> }> {
    const before = performance.now();
    const raw = await this.engine.run(this.inputValues(seen));
    return { runMs: performance.now() - before, raw };
  }

  close(): void {
    this.engine.close();
  }

  private scores(raw: ArrayLike<number>): number[] {
    const values = dequantize(raw, this.graph.output.quantization);
    return this.graph.givesLogits ? softmax(values) : values;
  }

  private inputValues(seen: Uint8Array) {
    const input =
      this.graph.input.dtype === 'uint8'
        ? new Uint8Array(seen.length)
        : new Float32Array(seen.length);
    for (let i = 0; i < seen.length; i++) input[i] = this.tables[i % 3]![seen[i]!]!;
    return input;
  }
}

function checkTypes({ input, output }: Graph, name: string): void {
  for (const { dtype, quantization } of [input, output]) {
    if (dtype !== 'float32' && dtype !== 'uint8') {
      throw new PageError(
        `${name} has an input or output of ${dtype}, but LiteRT in the browser only supports ` +
          `float32 and uint8; export it with uint8 input and output.`,
      );
    }
    if (dtype === 'uint8' && !(quantization.scale > 0)) {
      throw new PageError(
        `${name} has a uint8 input or output without a quantization scale; quantize it again.`,
      );
    }
  }
}

/** Returns one label per class: the file's, or the numbers of the classes if it has none. */
function labelsFor({ output }: Graph, labels: string[], name: string): string[] {
  const classes = output.shape[1]!;
  if (labels.length === 0) return Array.from({ length: classes }, (_, index) => String(index));
  if (labels.length !== classes) {
    throw new PageError(
      `${name} has ${labels.length} labels for ${classes} classes; export the model again.`,
    );
  }
  return labels;
}
