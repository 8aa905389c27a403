/** What the files of `src` promise about their imports and their length. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { expect, test } from 'vitest';

const SRC = join(import.meta.dirname, '..', 'src');
const FILES = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.replaceAll('\\', '/').slice(0, -3));

function text(file: string): string {
  return readFileSync(join(SRC, `${file}.ts`), 'utf8');
}

/** The files of `src` that a file imports, type imports included. */
function imports(file: string): string[] {
  return [...text(file).matchAll(/(?:from|import) '(\.[^']+)'/g)]
    .map(([, path]) => posix.join(dirname(file), path!))
    .filter((path) => FILES.includes(path));
}

const GRAPH = new Map(FILES.map((file) => [file, imports(file)]));

test('every file is read, and every local import is a file', () => {
  expect(FILES).toContain('inference/classifier');
  expect(GRAPH.get('page/state')).toContain('page/tray'); // a type import
  expect([...GRAPH.values()].flat().length).toBeGreaterThan(40);
});

test('no imports form a circle', () => {
  const remaining = new Map(GRAPH);
  for (let before = -1; remaining.size !== before; ) {
    before = remaining.size;
    for (const [file, targets] of remaining) {
      if (!targets.some((target) => remaining.has(target))) remaining.delete(file);
    }
  }
  expect([...remaining.keys()]).toEqual([]);
});

// From top to bottom; a room may import those after it.
const ROOMS = ['.', 'page', 'inference', 'inputs'];

test('no import goes up: page, inference, inputs', () => {
  const upward = FILES.flatMap((file) =>
    imports(file)
      .filter((target) => dirname(target) !== '.') // errors.ts is for all
      .filter((target) => ROOMS.indexOf(dirname(target)) < ROOMS.indexOf(dirname(file)))
      .map((target) => `${file} -> ${target}`),
  );
  expect(upward).toEqual([]);
});

test('only engine.ts imports LiteRT.js, and only flatbuffer.ts the flatbuffers library', () => {
  const users = (library: string) => FILES.filter((file) => text(file).includes(`from '${library}`));
  expect(users('@litertjs/core')).toEqual(['inference/engine']);
  expect(users('flatbuffers')).toEqual(['inference/flatbuffer']);
});

test('no file is longer than 300 lines', () => {
  expect(FILES.filter((file) => text(file).split('\n').length > 300)).toEqual([]);
});
