/** Files that tests read or make. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32, deflateRawSync } from 'node:zlib';

const ROOT = new URL('../../', import.meta.url);
const STORED = 0;
const DEFLATED = 8;

/** Reads a file of the repository. */
export function repositoryFile(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, ROOT)));
}

/** Reads a small model of `tests/golden`, with its attached files. */
export function goldenModel(name: string): Uint8Array {
  return repositoryFile(`tests/golden/${name}.tflite`);
}

/** Returns the content of the file of thresholds beside a model. */
export function sidecarOf(model: Uint8Array, acceptance: unknown): string {
  const sha256 = createHash('sha256').update(model).digest('hex');
  return JSON.stringify({ model_sha256: sha256, acceptance });
}

/** Returns a model without the files attached to it. */
export function graphOnly(model: Uint8Array): Uint8Array {
  const archive = Buffer.from(model).indexOf('PK\x03\x04', 0, 'latin1');
  return archive < 0 ? model : model.slice(0, archive);
}

/**
 * Attaches files as a zip archive.
 *
 * @param fromArchive count offsets from the start of the archive, not of the file.
 */
export function attach(
  graph: Uint8Array,
  files: Record<string, string | Uint8Array>,
  { deflate = false, fromArchive = false, comment = '' } = {},
): Uint8Array {
  const parts: Uint8Array[] = [graph];
  const directory: Uint8Array[] = [];
  let at = fromArchive ? 0 : graph.length;
  for (const [name, content] of Object.entries(files)) {
    const plain = Buffer.from(content);
    const packed = deflate ? deflateRawSync(plain) : plain;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // version needed
    common.writeUInt16LE(deflate ? DEFLATED : STORED, 4);
    common.writeUInt32LE(crc32(plain), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(plain.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), common, rest, Buffer.from(name));
    const local = [Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed];
    parts.push(...local);
    at += length(local);
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0);
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(length(directory), 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(comment.length, 20);
  return new Uint8Array(Buffer.concat([...parts, ...directory, end, Buffer.from(comment)]));
}

/** Returns the same bytes with every occurrence of a text replaced by one of the same length. */
export function replaceBytes(data: Uint8Array, before: string, after: string): Uint8Array {
  if (before.length !== after.length) throw new Error('expected texts of the same length');
  const text = Buffer.from(data).toString('latin1');
  if (!text.includes(before)) throw new Error(`expected ${before} in the data`);
  return new Uint8Array(Buffer.from(text.replaceAll(before, after), 'latin1'));
}

function length(parts: Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
