/**
 * What a .tflite file says about itself, besides its graph.
 *
 * As in TFLite Metadata, files are attached as a zip archive behind the graph: `labels.txt`, and in
 * our models `model-card.json`, which tells the pre-processing. Others' models tell it in a
 * flatbuffer inside the graph, which also names the file of labels. Layout of the archive: PKWARE's
 * APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16; field numbers: schema.fbs of LiteRT, and
 * metadata_schema.fbs of TFLite Metadata.
 */

import { PageError } from './errors';
import { Table } from './flatbuffer';
import type { Normalization } from './quantization';

export interface Metadata {
  labels: string[]; // in the order of the scores; empty where the file has none
  normalization: Normalization | undefined; // undefined where the file says nothing of it
  source: string; // what says it, for people
}

/**
 * Reads labels and normalization.
 *
 * @throws PageError the attached files are damaged, or ask for what this page does not do.
 */
export async function readMetadata(data: Uint8Array, name: string): Promise<Metadata> {
  let card: Card | undefined, labels: string[], normalization: Normalization | undefined;
  try {
    const files = await attachedFiles(data);
    const json = files.get('model-card.json');
    card = json && (JSON.parse(text(json)) as Card);
    const standard = card === undefined ? readStandard(data) : undefined;
    normalization = standard?.normalization;
    const named = standard?.labels.find((file) => files.has(file)) ?? 'labels.txt';
    labels = text(files.get(named)).split(/\r?\n/);
  } catch (error) {
    throw new PageError(
      `The files attached to ${name} are damaged (${(error as Error).message}); ` +
        `copy or export the model again.`,
    );
  }
  while (labels.at(-1)?.trim() === '') labels.pop();
  const preprocessing = card?.preprocessing;
  if (preprocessing === undefined) return { labels, normalization, source: 'metadata' };
  const { fit = 'crop', resize = 'bicubic', mean, std } = preprocessing;
  if (fit !== 'crop' || resize !== 'bicubic') {
    throw new PageError(
      `${name} asks for pictures fitted by ${fit} and ${resize}, ` +
        `but this page only does crop and bicubic; use edge-classify.`,
    );
  }
  normalization = { mean: channels(mean, name), std: channels(std, name, { divides: true }) };
  return { labels, normalization, source: 'model card' };
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

/** Reads standard TFLite Metadata: the normalization, and the names of files with labels. */
function readStandard(data: Uint8Array): {
  normalization: Normalization | undefined;
  labels: string[];
} {
  const model = Table.root(data);
  const entry = model
    .tables(MODEL.metadata)
    .find((entry) => entry.text(METADATA.name) === 'TFLITE_METADATA');
  if (entry === undefined) return { normalization: undefined, labels: [] };
  const buffer = model.tables(MODEL.buffers)[entry.uint32(METADATA.buffer)]!;
  const metadata = Table.root(buffer.bytes(BUFFER.data)).tables(MODEL_METADATA.subgraphs)[0];
  const [image] = metadata?.tables(SUBGRAPH_METADATA.inputs) ?? [];
  const [scores] = metadata?.tables(SUBGRAPH_METADATA.outputs) ?? [];
  const unit = image
    ?.tables(TENSOR_METADATA.units)
    .find((unit) => unit.int8(PROCESS_UNIT.type) === IS_NORMALIZATION)
    ?.table(PROCESS_UNIT.options);
  const labels = (scores?.tables(TENSOR_METADATA.files) ?? [])
    .filter((file) => file.int8(FILE.type) === IS_AXIS_LABELS)
    // With a locale they are translations.
    .sort((a, b) => Number(a.text(FILE.locale) !== '') - Number(b.text(FILE.locale) !== ''))
    .map((file) => file.text(FILE.name));
  const mean = unit?.float32s(NORMALIZATION.mean) ?? [];
  if (mean.length === 0) return { normalization: undefined, labels };
  const std = unit!.float32s(NORMALIZATION.std);
  return { normalization: { mean: three(mean), std: three(std, { divides: true }) }, labels };
}

interface Card {
  preprocessing?: { fit?: string; resize?: string; mean?: unknown; std?: unknown };
}

/** Returns one number a channel; a single one stands for all three. */
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

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

/** Returns the files in the archive at the end of the data by name, none if there is none. */
async function attachedFiles(data: Uint8Array): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const end = findEnd(view);
  if (end < 0) return files;
  let at = view.getUint32(end + 16, true);
  // Where offsets count from the archive's start, that is the graph's length.
  const before = end - view.getUint32(end + 12, true) - at;
  at += before;
  for (let entries = view.getUint16(end + 10, true); entries > 0; entries--) {
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    if (view.getUint32(at, true) !== 0x02014b50 || (method !== STORED && method !== DEFLATED)) {
      throw new Error('expected stored or deflated zip entries');
    }
    const nameLength = view.getUint16(at + 28, true);
    const name = text(data.subarray(at + 46, at + 46 + nameLength));
    const header = view.getUint32(at + 42, true) + before;
    const start =
      header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    if (view.getUint32(header, true) !== 0x04034b50 || start + size > end) {
      throw new Error(`expected ${name} inside the file`);
    }
    const content = data.slice(start, start + size);
    files.set(name, method === STORED ? content : await inflate(content));
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files;
}

const STORED = 0;
const DEFLATED = 8;

/** Returns where the archive's end record is, which a comment may follow; -1 without archive. */
function findEnd(view: DataView): number {
  const last = view.byteLength - 22;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (view.getUint32(at, true) === 0x06054b50) return at;
  }
  return -1;
}

async function inflate(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
