/**
 * Reads the zip archive at the end of a file.
 *
 * Layout: PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central directory) and
 * 4.3.16 (end record).
 */

const LOCAL_HEADER = 0x04034b50;
const DIRECTORY_ENTRY = 0x02014b50;
const END_RECORD = 0x06054b50;
const END_RECORD_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const STORED = 0;
const DEFLATED = 8;

/**
 * Returns the contents of the archive's files by name. The map is empty if there is no archive.
 *
 * @throws Error the archive is damaged, or uses a compression other than deflate.
 */
export async function attachedFiles(data: Uint8Array): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const end = findEnd(view);
  if (end < 0) return files;
  let at = view.getUint32(end + 16, true);
  // Some writers count offsets from the start of the archive instead of the file. Then this is the
  // number of bytes before the archive; otherwise it is 0.
  const before = end - view.getUint32(end + 12, true) - at;
  at += before;
  for (let entries = view.getUint16(end + 10, true); entries > 0; entries--) {
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    const known = method === STORED || method === DEFLATED;
    if (view.getUint32(at, true) !== DIRECTORY_ENTRY || !known) {
      throw new Error('expected stored or deflated zip entries');
    }
    const nameLength = view.getUint16(at + 28, true);
    const name = utf8(data.subarray(at + 46, at + 46 + nameLength));
    const header = view.getUint32(at + 42, true) + before;
    const start =
      header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    if (view.getUint32(header, true) !== LOCAL_HEADER || start + size > end) {
      throw new Error(`expected ${name} inside the file`);
    }
    const content = data.slice(start, start + size);
    files.set(name, method === STORED ? content : await inflate(content));
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files;
}

/** Decodes UTF-8, and throws if the bytes are not UTF-8. */
export function utf8(bytes: Uint8Array | undefined): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

/** Returns where the end record starts, or -1. A comment may follow the record. */
function findEnd(view: DataView): number {
  const last = view.byteLength - END_RECORD_BYTES;
  for (let at = last; at >= Math.max(0, last - MAX_COMMENT_BYTES); at--) {
    if (view.getUint32(at, true) === END_RECORD) return at;
  }
  return -1;
}

async function inflate(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
