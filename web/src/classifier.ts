/** From a picture to its most likely classes. */

import { Engine, type Accelerator } from './engine';
import { PageError } from './errors';
import { readGraph, type Graph } from './graph';
import { fit, type Picture } from './image';
import { readMetadata, type Metadata } from './metadata';
import { assumedNormalization, dequantize, pixelTables } from './quantization';

export interface Prediction {
  label: string;
  index: number; // of the class in the model's output
  score: number; // after softmax, 0-1
}

export interface Answer {
  predictions: Prediction[]; // all classes, best first
  seen: Uint8Array; // the pixels that the network was given, (height, width, 3), RGB
  runMs: number; // pixels to scores
}

function softmax(logits: number[]): number[] {
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/**
 * Says whether two answers are one but for rounding, which moves a score by a small part of the
 * highest one; a GPU that computes something else takes most of it away.
 */
function agree(one: number[], other: number[]): boolean {
  const most = Math.max(16 / 256, 0.5 * Math.max(...one, ...other));
  return one.every((score, i) => Math.abs(score - other[i]!) <= most); // no number is
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
   * @param pictures to hold the GPU's answers against the CPU's, for LiteRT takes some graphs
   *   without complaint and computes them wrongly there.
   * @throws PageError it is damaged, no image classifier, or does not run here, or not rightly.
   */
  static async load(
    data: Uint8Array,
    name: string,
    accelerator: Accelerator,
    pictures: () => Promise<Picture[]>,
  ): Promise<Classifier> {
    const graph = readGraph(data, name);
    const metadata = await readMetadata(data, name);
    const { input, output } = graph;
    for (const { dtype, quantization } of [input, output]) {
      if (dtype !== 'float32' && dtype !== 'uint8') {
        throw new PageError(
          `${name} takes or gives ${dtype}, but LiteRT in the browser knows float32 and uint8 ` +
            `only; export it with uint8 input and output.`,
        );
      }
      if (dtype === 'uint8' && !(quantization.scale > 0)) {
        throw new PageError(
          `${name} has a uint8 input or output without a quantization scale; quantize it again.`,
        );
      }
    }
    const classes = output.shape[1]!;
    if (metadata.labels.length === 0) {
      metadata.labels = Array.from({ length: classes }, (_, index) => String(index));
    }
    if (metadata.labels.length !== classes) {
      throw new PageError(
        `${name} carries ${metadata.labels.length} labels for ${classes} classes; ` +
          `export the model again.`,
      );
    }
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
          await classifier.ensureAgrees(reference, name, await pictures());
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

  private async ensureAgrees(other: Classifier, name: string, pictures: Picture[]): Promise<void> {
    const [, height, width] = this.graph.input.shape as [number, number, number];
    for (const picture of pictures) {
      const seen = fit(picture, width, height);
      const [ours, theirs] = [await this.time(seen), await other.time(seen)];
      if (!agree(this.scores(ours.raw), this.scores(theirs.raw))) {
        throw new PageError(
          `The GPU in this browser computes ${name} wrongly: its answers are not the CPU's. ` +
            `Use the CPU.`,
        );
      }
    }
  }

  /** Classifies one picture. */
  async classify(picture: Picture): Promise<Answer> {
    const [, height, width] = this.graph.input.shape as [number, number, number];
    const seen = fit(picture, width, height);
    const { runMs, raw } = await this.time(seen);
    const scores = this.scores(raw);
    if (!scores.every(Number.isFinite)) {
      throw new PageError('The model gave scores that are no numbers; export it again.');
    }
    const predictions = scores
      .map((score, index) => ({ label: this.metadata.labels[index]!, index, score }))
      .sort((a, b) => b.score - a.score); // stable: on a tie the lower index comes first
    return { predictions, seen, runMs };
  }

  /** Runs the network once and takes the time from pixels to scores. */
  async time(seen: Uint8Array): Promise<{ runMs: number; raw: ArrayLike<number> }> {
    const before = performance.now();
    const raw = await this.engine.run(this.feed(seen));
    return { runMs: performance.now() - before, raw };
  }

  close(): void {
    this.engine.close();
  }

  private scores(raw: ArrayLike<number>): number[] {
    const values = dequantize(raw, this.graph.output.quantization);
    return this.graph.givesLogits ? softmax(values) : values;
  }

  private feed(seen: Uint8Array) {
    const input =
      this.graph.input.dtype === 'uint8'
        ? new Uint8Array(seen.length)
        : new Float32Array(seen.length);
    for (let i = 0; i < seen.length; i++) input[i] = this.tables[i % 3]![seen[i]!]!;
    return input;
  }
}
