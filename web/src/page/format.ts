/** Writes numbers and facts for the user. */

import type { Result } from '../inference/classifier';
import type { Graph } from '../inference/graph';
import type { Metadata } from '../inference/metadata';
import type { Normalization } from '../inference/quantization';

/** Returns a score (0-1) in percent. */
export function percent(score: number): string {
  return `${(100 * score).toFixed(1)} %`;
}

/**
 * Returns what a result says, in words: `label` names the class, or none.
 *
 * @param acceptAll whether the best class counts whatever its score.
 */
export function verdict(
  { predictions, accepted }: Pick<Result, 'predictions' | 'accepted'>,
  acceptAll: boolean,
): { label: string; score: string; sentence: string } {
  const best = predictions[0]!;
  const score = percent(best.score);
  if (accepted || acceptAll) {
    return { label: best.label, score, sentence: `${best.label}, ${score}` };
  }
  const label = 'none of these';
  const instead = `(${best.label} ${score})`;
  return { label, score: instead, sentence: `${label} ${instead}` };
}

/** Returns a time in ms, or a dash if there is none. */
export function milliseconds(value: number): string {
  // Browsers round their clock to 0.1 ms unless the page is cross-origin isolated.
  return `${decimals(value, globalThis.crossOriginIsolated ? 2 : 1)} ms`;
}

/** Returns a frame rate, or a dash if there is none. */
export function frameRate(perSecond: number): string {
  return `${decimals(perSecond, 1)} frames/s`;
}

/** Returns the display name of a network. */
export function networkTitle(name: string): string {
  return { cnn: 'CNN', resnet18: 'ResNet18' }[name] ?? name;
}

/** Returns what a model's file says about itself and what runs it, as pairs of term and text. */
export function modelFacts(
  name: string,
  bytes: number,
  graph: Graph,
  metadata: Metadata,
  runsOn: string,
): Record<string, string> {
  const { shape, dtype } = graph.input;
  return {
    'Really runs on': runsOn,
    File: `${name}, ${bytes.toLocaleString('en')} bytes`,
    Input: `${shape.slice(1).join(' × ')}, ${dtype}`,
    Pixels: pixels(metadata, dtype === 'uint8'),
    Labels: someOf(metadata.labels),
    ...(metadata.threshold !== undefined && {
      Accepts: `scores from ${percent(metadata.threshold)}`,
    }),
    ...(graph.givesLogits && { Scores: 'softmax of the outputs; assumed, the graph has none' }),
  };
}

function pixels({ normalization, source }: Metadata, quantized: boolean): string {
  if (normalization !== undefined) {
    return `${formula(normalization)}${quantized ? ', quantized' : ''}; from the file’s ${source}`;
  }
  return `${quantized ? 'raw bytes' : 'pixel / 255'}; assumed, the file does not say`;
}

function someOf(labels: string[], most = 20): string {
  const more = labels.length - most;
  return labels.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function formula({ mean, std }: Normalization): string {
  const short = (values: readonly number[]) =>
    values.every((value) => value === values[0]) ? String(values[0]) : `(${values.join(', ')})`;
  return mean.every((value) => value === 0)
    ? `pixel / ${short(std)}`
    : `(pixel − ${short(mean)}) / ${short(std)}`;
}

function decimals(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}
