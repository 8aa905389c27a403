import { expect, test } from 'vitest';
import { readSidecar } from '../../src/inference/acceptance';
import { goldenModel, sidecarOf } from '../files';

const MODEL = goldenModel('uint8');

test('the file beside a model holds its threshold', async () => {
  const json = sidecarOf(MODEL, { threshold: 0.625, table: [] });
  expect(await readSidecar(json, MODEL, 'mine.tflite')).toBe(0.625);
});

test('that of another model is refused', async () => {
  const json = sidecarOf(goldenModel('float32'), { threshold: 0.625 });
  await expect(readSidecar(json, MODEL, 'mine.tflite')).rejects.toThrow(
    'mine.tflite.acceptance.json belongs to another model; drop mine.tflite alone, or write that ' +
      'file again with edge-classify --judge.',
  );
});

test.each([
  [{ views: 4 }, '--views'],
  [{ views: 1, options: { gpu_precision: 'fp16', fit: 'pad' } }, '--gpu-precision and --fit'],
])('one that was measured with %j is refused', async (how, named) => {
  const json = sidecarOf(MODEL, { threshold: 0.625, ...how });
  await expect(readSidecar(json, MODEL, 'mine.tflite')).rejects.toThrow(
    `mine.tflite.acceptance.json was measured with ${named}, which this page lacks; drop ` +
      'mine.tflite alone, or write that file again without.',
  );
});

test.each(['{', 'null', '[]', sidecarOf(MODEL, {}), sidecarOf(MODEL, { threshold: '0.5' })])(
  'one that is damaged is refused: %s',
  async (json) => {
    await expect(readSidecar(json, MODEL, 'mine.tflite')).rejects.toThrow(
      /^mine\.tflite\.acceptance\.json is damaged \(.+\); write it again with edge-classify --judge\.$/,
    );
  },
);
