import { expect, test } from 'vitest';
import { assumedNormalization, dequantize, pixelTables } from '../../src/inference/quantization';
import reference from '../reference.json';

test.each(reference.tables)(
  'uint8 inputs equal those of the Python runtime: mean $mean, std $std, scale $scale',
  ({ mean, std, scale, zeroPoint, table }) => {
    const tables = pixelTables({ mean, std }, { scale, zeroPoint });
    expect(tables.map((channel) => [...channel])).toEqual(table);
  },
);

test('float inputs are not rounded', () => {
  const normalization = { mean: [0, 1, 2], std: [255, 2, 4] };
  const tables = pixelTables(normalization, { scale: 0, zeroPoint: 0 });
  expect([tables[0]![128], tables[1]![0], tables[2]![255]]).toEqual([128 / 255, -0.5, 253 / 4]);
});

test('without a normalization, float inputs take 0-1', () => {
  const quantization = { scale: 0, zeroPoint: 0 };
  const [red] = pixelTables(assumedNormalization(quantization), quantization);
  expect([red![0], red![51], red![255]]).toEqual([0, 0.2, 1]);
});

test.each([
  { scale: 1 / 255, zeroPoint: 0 },
  { scale: 0.0186, zeroPoint: 114 },
  { scale: 2, zeroPoint: 255 },
])('without a normalization, quantized inputs take the bytes: %j', (quantization) => {
  const tables = pixelTables(assumedNormalization(quantization), quantization);
  const bytes = Array.from({ length: 256 }, (_, i) => i);
  expect(tables.map((channel) => [...channel])).toEqual([bytes, bytes, bytes]);
});

test('dequantize undoes the quantization, and passes floats through', () => {
  expect(dequantize(Uint8Array.of(0, 128, 255), { scale: 0.5, zeroPoint: 128 })).toEqual([
    -64, 0, 63.5,
  ]);
  expect(dequantize(Float32Array.of(0.25, -3), { scale: 0, zeroPoint: 0 })).toEqual([0.25, -3]);
});
