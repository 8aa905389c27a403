/**
 * Reads what a .tflite file says about itself besides its graph: labels, normalization and the
 * threshold of scores.
 *
 * As in TFLite Metadata, a zip archive after the graph holds the attached files. Models of this
 * project attach `labels.txt` and `model-card.json`, and the card gives the preprocessing. Other
 * models give it in a flatbuffer inside the graph, which also names the file of labels. Field
 * numbers: schema.fbs of LiteRT, and metadata_schema.fbs of TFLite Metadata.
 */

import { PageError, reason } from '../errors';
import { thresholdOf } from './acceptance';
import { Table } from './flatbuffer';
import type { Normalization } from './quantization';
import { attachedFiles, utf8 } from './zip';

export interface Metadata {
  labels: string[]; // in the order of the scores; empty if the file has none
  normalization: Normalization | undefined; // undefined if the file gives none
  source: string; // the part of the file that was read, in words for the user
  threshold: number | undefined; // best scores below it count as none of the classes; see acceptance
}

/**
 * Reads labels, normalization and threshold.
 *
 * A model card may carry any version, or none: only its `preprocessing` and `acceptance` are read.
 *
 * @throws PageError the attached files are damaged, or need preprocessing that this page lacks.
 */
export async function readMetadata(data: Uint8Array, name: string): Promise<Metadata> {
  let card: Card | undefined, labels: string[], normalization: Normalization | undefined;
  try {
    const files = await attachedFiles(data);
    const json = files.get('model-card.json');
    card = json && (JSON.parse(utf8(json)) as Card);
    const standard = card === undefined ? readStandard(data) : undefined;
    normalization = standard?.normalization;
    const labelsFile = standard?.labelFiles.find((file) => files.has(file)) ?? 'labels.txt';
    labels = utf8(files.get(labelsFile)).split(/\r?\n/);
  } catch (error) {
    throw new PageError(
      `The files attached to ${name} are damaged (${reason(error)}); ` +
        `copy or export the model again.`,
    );
  }
  while (labels.at(-1)?.trim() === '') labels.pop();
  const preprocessing = card?.preprocessing;
  const threshold = thresholdOf(card?.acceptance);
  if (preprocessing === undefined) return { labels, normalization, source: 'metadata', threshold };
  const { fit = 'crop', resize = 'bicubic', mean, std } = preprocessing;
  if (fit !== 'crop' || resize !== 'bicubic') {
    throw new PageError(
      `${name} needs images fitted by ${fit} and ${resize}, ` +
        `but this page only supports crop and bicubic; use edge-classify.`,
    );
  }
  normalization = { mean: channels(mean, name), std: channels(std, name, { divides: true }) };
  return { labels, normalization, source: 'model card', threshold };
}

interface Card {
  preprocessing?: { fit?: string; resize?: string; mean?: unknown; std?: unknown };
  acceptance?: unknown;
}

const MODEL = { buffers: 4, metadata: 6 };
const METADATA = { name: 0, buffer: 1 };
const BUFFER = { data: 0 };
const MODEL_METADATA = { subgraphs: 3 };
const SUBGRAPH_METADATA = { inputs: 2, outputs: 3 };
const TENSOR_METADATA = { units: 4, files: 6 };
const PROCESS_UNIT = { type: 0, options: 1 };
const NORMALIZATION = { mean: 0, std: 1 };
const FILE = { name: 0, type: 2, locale: 3 };
const IS_NORMALIZATION = 1;
const IS_AXIS_LABELS = 2;

interface StandardMetadata {
  normalization: Normalization | undefined;
  labelFiles: string[]; // names of attached files with labels, the best choice first
}

/** Reads standard TFLite Metadata. */
function readStandard(data: Uint8Array): StandardMetadata {
  const model = Table.root(data);
  const entry = model
    .tables(MODEL.metadata)
    .find((entry) => entry.text(METADATA.name) === 'TFLITE_METADATA');
  if (entry === undefined) return { normalization: undefined, labelFiles: [] };
  const buffer = model.tables(MODEL.buffers)[entry.uint32(METADATA.buffer)]!;
  const metadata = Table.root(buffer.bytes(BUFFER.data)).tables(MODEL_METADATA.subgraphs)[0];
  const [image] = metadata?.tables(SUBGRAPH_METADATA.inputs) ?? [];
  const [scores] = metadata?.tables(SUBGRAPH_METADATA.outputs) ?? [];
  const unit = image
    ?.tables(TENSOR_METADATA.units)
    .find((unit) => unit.int8(PROCESS_UNIT.type) === IS_NORMALIZATION)
    ?.table(PROCESS_UNIT.options);
  const labelFiles = (scores?.tables(TENSOR_METADATA.files) ?? [])
    .filter((file) => file.int8(FILE.type) === IS_AXIS_LABELS)
    // Files with a locale are translations, so they come last.
    .sort((a, b) => Number(a.text(FILE.locale) !== '') - Number(b.text(FILE.locale) !== ''))
    .map((file) => file.text(FILE.name));
  const mean = unit?.float32s(NORMALIZATION.mean) ?? [];
  if (mean.length === 0) return { normalization: undefined, labelFiles };
  const std = unit!.float32s(NORMALIZATION.std);
  return { normalization: { mean: three(mean), std: three(std, { divides: true }) }, labelFiles };
}

/** Returns one number per channel. A single number applies to all three channels. */
function three(numbers: number[], { divides = false } = {}): number[] {
  const usable = numbers.every((number) => Number.isFinite(number) && !(divides && number === 0));
  if (!(numbers.length === 1 || numbers.length === 3) || !usable) {
    throw new Error('expected means and deviations for 1 or 3 channels, none 0');
  }
  return numbers.length === 3 ? numbers : Array<number>(3).fill(numbers[0]!);
}

function channels(values: unknown, name: string, options = {}): number[] {
  try {
    return three(Array.isArray(values) ? values.map(Number) : [], options);
  } catch {
    throw new PageError(`${name} has a damaged model card; copy or export the model again.`);
  }
}
