import { describe, expect, test } from 'vitest';
import { attachedFiles } from '../../src/inference/zip';
import { attach, replaceBytes } from '../files';

const GRAPH = new TextEncoder().encode('a graph of any content');
const FILES = { 'labels.txt': 'cat\ndog\n', 'größe.json': '{"a": 1}' };

async function texts(data: Uint8Array): Promise<Record<string, string>> {
  const files = await attachedFiles(data);
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return Object.fromEntries([...files].map(([name, bytes]) => [name, decode(bytes)]));
}

describe.each([
  ['stored', {}],
  ['deflated', { deflate: true }],
  ['with offsets from the start of the archive', { fromArchive: true }],
  ['with a comment', { comment: 'made by hand' }],
])('an archive %s', (_, options) => {
  test('gives its files by name', async () => {
    expect(await texts(attach(GRAPH, FILES, options))).toEqual(FILES);
  });
});

test('a file without an archive has no files', async () => {
  expect(await texts(GRAPH)).toEqual({});
  expect(await texts(new Uint8Array())).toEqual({});
});

test('data in the middle of a larger buffer is read at its own offset', async () => {
  const whole = attach(GRAPH, FILES);
  const larger = new Uint8Array(whole.length + 20);
  larger.set(whole, 10);
  expect(await texts(larger.subarray(10, 10 + whole.length))).toEqual(FILES);
});

test.each([
  ['PK\x01\x02', 'expected stored or deflated zip entries'],
  ['PK\x03\x04', 'expected labels.txt inside the file'],
])('an archive with a damaged %j is refused', async (signature, message) => {
  const damaged = replaceBytes(attach(GRAPH, FILES), signature, 'PK\x00\x00');
  await expect(attachedFiles(damaged)).rejects.toThrow(message);
});

test('an entry larger than the file is refused', async () => {
  const damaged = attach(GRAPH, FILES);
  const entry = Buffer.from(damaged).indexOf('PK\x01\x02', 0, 'latin1');
  new DataView(damaged.buffer).setUint32(entry + 20, 1_000_000, true);
  await expect(attachedFiles(damaged)).rejects.toThrow('expected labels.txt inside the file');
});

test('damaged deflated content is refused', async () => {
  const damaged = attach(GRAPH, { 'labels.txt': 'cat\n'.repeat(100) }, { deflate: true });
  damaged.fill(0xff, GRAPH.length + 40, GRAPH.length + 46);
  await expect(attachedFiles(damaged)).rejects.toThrow();
});
