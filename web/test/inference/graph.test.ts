import { expect, test } from 'vitest';
import { PageError } from '../../src/errors';
import { readGraph } from '../../src/inference/graph';
import { flatbuffer, type Fields } from '../builder';
import { goldenModel } from '../files';

test.each(['float32', 'unlabelled'])('the float model %s has no quantization', (name) => {
  const { input, output } = readGraph(goldenModel(name), name);
  expect(input).toEqual({
    shape: [1, 4, 4, 3],
    dtype: 'float32',
    quantization: { scale: 0, zeroPoint: 0 },
  });
  expect(output.shape).toEqual([1, 3]);
});

test.each([
  ['uint8', 0],
  ['int8', -128],
])('the %s model has scales and zero points', (name, zeroPoint) => {
  const { input, output } = readGraph(goldenModel(name), name);
  expect([input.dtype, output.dtype]).toEqual([name, name]);
  expect(input.quantization).toEqual({ scale: Math.fround(1 / 255), zeroPoint });
  expect(output.quantization).toEqual({ scale: 1 / 256, zeroPoint });
});

test.each([
  ['float32', false],
  ['uint8', false],
  ['logits', true],
])('%s: a softmax is missing: %s', (name, expected) => {
  expect(readGraph(goldenModel(name), name).givesLogits).toBe(expected);
});

const [LOGISTIC, RESHAPE, SOFTMAX, FULLY_CONNECTED, DEQUANTIZE, MUL] = [
  14, 22, 25, 9, 6, 18,
] as const;
const TFL3 = 'TFL3';

/** A graph whose operators follow each other: tensor 0 is the image, the last one the scores. */
function chain(codes: number[], { newCode = false } = {}): Uint8Array {
  const last = codes.length;
  const shape = (i: number) => (i === 0 ? [1, 4, 4, 3] : [1, 3]);
  const main: Fields = {
    0: { tables: [...codes, 0].map((_, i) => ({ 0: { int32s: shape(i) } })) },
    1: { int32s: [0] },
    2: { int32s: [last] },
    3: {
      tables: codes.map((_, i) => ({
        0: { uint32: i },
        1: { int32s: [i] },
        2: { int32s: [i + 1] },
      })),
    },
  };
  const operators = codes.map(
    (code): Fields => (newCode ? { 3: { int32: code } } : { 0: { int8: code } }),
  );
  return flatbuffer({ 1: { tables: operators }, 2: { tables: [main] } }, TFL3);
}

test.each([
  ['softmax', [FULLY_CONNECTED, SOFTMAX], false],
  ['logistic', [FULLY_CONNECTED, LOGISTIC], false],
  ['softmax that is reshaped and dequantized', [SOFTMAX, RESHAPE, DEQUANTIZE], false],
  ['fully connected layer', [SOFTMAX, FULLY_CONNECTED], true],
  ['reshape alone', [RESHAPE], true],
])('a graph that ends in a %s', (_, codes, givesLogits) => {
  expect(readGraph(chain(codes), 'made').givesLogits).toBe(givesLogits);
  // Newer files give the operator's code in another field.
  expect(readGraph(chain(codes, { newCode: true }), 'made').givesLogits).toBe(givesLogits);
});

test.each([
  ['scores', SOFTMAX, LOGISTIC, false],
  ['scores and something else', SOFTMAX, FULLY_CONNECTED, true],
])('a graph that ends in a product of %s', (_, first, second, givesLogits) => {
  const shapes = [[1, 4, 4, 3], [1, 3], [1, 1], [1, 3]];
  const steps = [
    { code: first, inputs: [0], output: 1 },
    { code: second, inputs: [0], output: 2 },
    { code: MUL, inputs: [1, 2], output: 3 },
  ];
  const main: Fields = {
    0: { tables: shapes.map((shape) => ({ 0: { int32s: shape } })) },
    1: { int32s: [0] },
    2: { int32s: [3] },
    3: {
      tables: steps.map(({ inputs, output }, i) => ({
        0: { uint32: i },
        1: { int32s: inputs },
        2: { int32s: [output] },
      })),
    },
  };
  const operators: Fields[] = steps.map(({ code }) => ({ 0: { int8: code } }));
  const data = flatbuffer({ 1: { tables: operators }, 2: { tables: [main] } }, TFL3);
  expect(readGraph(data, 'made').givesLogits).toBe(givesLogits);
});

test('a graph whose operators form a circle is read', () => {
  const main: Fields = {
    0: { tables: [{ 0: { int32s: [1, 4, 4, 3] } }, { 0: { int32s: [1, 3] } }] },
    1: { int32s: [0] },
    2: { int32s: [1] },
    3: { tables: [{ 1: { int32s: [1] }, 2: { int32s: [1] } }] },
  };
  const operators: Fields[] = [{ 0: { int8: RESHAPE } }];
  const data = flatbuffer({ 1: { tables: operators }, 2: { tables: [main] } }, TFL3);
  expect(readGraph(data, 'made').givesLogits).toBe(true);
});

test.each([
  ['no_image', 'float32 [1, 3] and float32 [1, 3]'],
  ['image_to_image', 'float32 [1, 4, 4, 3] and float32 [1, 4, 4, 3]'],
  ['two_inputs', 'float32 [1, 4, 4, 3], float32 [1, 4, 4, 3] and float32 [1, 3]'],
  ['grey', 'float32 [1, 4, 4, 1] and float32 [1, 1, 1, 3]'],
])('%s is refused, and the message gives its shapes', (name, shapes) => {
  expect(() => readGraph(goldenModel(name), 'mine.tflite')).toThrow(
    new PageError(
      'mine.tflite is not an image classifier: expected one input [1, height, width, 3] and one ' +
        `output [1, classes], but got ${shapes}.`,
    ),
  );
});

test('a damaged file is refused with a sentence, wherever it is cut', () => {
  const whole = goldenModel('unlabelled');
  const refusal = 'mine.tflite is not a valid .tflite model; copy or export it again.';
  const messages = new Set<string>();
  for (let length = 0; length < whole.length; length += 7) {
    try {
      readGraph(whole.slice(0, length), 'mine.tflite');
      messages.add('read'); // cut behind what is read
    } catch (error) {
      expect(error).toBeInstanceOf(PageError);
      messages.add((error as PageError).message);
    }
  }
  expect(messages).toContain(refusal);
  expect(() => readGraph(whole.slice(0, 300), 'mine.tflite')).toThrow(refusal);
  const text = new TextEncoder().encode('no model at all');
  expect(() => readGraph(text, 'mine.tflite')).toThrow(refusal);
});
