import { expect, test } from 'vitest';
import { Table } from '../../src/inference/flatbuffer';
import { flatbuffer } from '../builder';

const ROOT = Table.root(
  flatbuffer({
    0: { int8: -5 },
    1: { int32: -70_000 },
    2: { uint32: 4_000_000_000 },
    3: { text: 'grün' },
    4: { bytes: Uint8Array.of(0, 127, 255) },
    5: { int32s: [1, -2, 3] },
    6: { int64s: [-3, 2 ** 40] },
    7: { float32s: [0.5, -2.25] },
    8: { table: { 1: { int32: 7 } } },
    9: { tables: [{ 0: { int8: 1 } }, { 0: { int8: 2 } }] },
  }),
);

test('a field is read by its number and type', () => {
  expect(ROOT.int8(0)).toBe(-5);
  expect(ROOT.int32(1)).toBe(-70_000);
  expect(ROOT.uint32(2)).toBe(4_000_000_000);
  expect(ROOT.text(3)).toBe('grün');
  expect([...ROOT.bytes(4)]).toEqual([0, 127, 255]);
  expect(ROOT.int32s(5)).toEqual([1, -2, 3]);
  expect(ROOT.int64s(6)).toEqual([-3, 2 ** 40]);
  expect(ROOT.float32s(7)).toEqual([0.5, -2.25]);
  expect(ROOT.table(8)!.int32(1)).toBe(7);
  expect(ROOT.tables(9).map((table) => table.int8(0))).toEqual([1, 2]);
});

test('an absent field reads as 0, empty or undefined', () => {
  expect([ROOT.int8(20), ROOT.int32(20), ROOT.uint32(20)]).toEqual([0, 0, 0]);
  expect(ROOT.text(20)).toBe('');
  expect(ROOT.int32s(20)).toEqual([]);
  expect(ROOT.table(20)).toBeUndefined();
  expect(ROOT.tables(20)).toEqual([]);
});

test('a vector that is longer than the file is refused', () => {
  const data = flatbuffer({ 0: { bytes: new Uint8Array(1000).fill(9) } });
  expect(Table.root(data).bytes(0)).toHaveLength(1000);
  expect(() => Table.root(data.slice(0, 500)).bytes(0)).toThrow(RangeError);
});
