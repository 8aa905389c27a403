import { describe, expect, test } from 'vitest';
import { PageError } from '../../src/errors';
import { readMetadata } from '../../src/inference/metadata';
import { flatbuffer, type Fields } from '../builder';
import { attach, goldenModel, graphOnly, replaceBytes, repositoryFile } from '../files';

const GRAPH = goldenModel('unlabelled');
const LABELS = 'red\ngreen\nblue\n';
const CIFAR10 = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');

function withCard(card: unknown, labels: string | Uint8Array = LABELS): Uint8Array {
  return attach(GRAPH, { 'labels.txt': labels, 'model-card.json': JSON.stringify(card) });
}

const PREPROCESSING = { fit: 'crop', resize: 'bicubic', mean: [1, 2, 3], std: [4, 5, 6] };

describe('a model card', () => {
  test.each([
    ['the version of a package', { version: '0.1.0' }],
    ['a schema version', { schema_version: 1 }],
    ['no version', {}],
  ])('with %s gives the normalization', async (_, version) => {
    const data = withCard({ ...version, preprocessing: PREPROCESSING });
    expect(await readMetadata(data, 'mine')).toEqual({
      labels: ['red', 'green', 'blue'],
      normalization: { mean: [1, 2, 3], std: [4, 5, 6] },
      source: 'model card',
    });
  });

  test('may give one number for all channels', async () => {
    const data = withCard({ preprocessing: { mean: [127.5], std: [128] } });
    const { normalization } = await readMetadata(data, 'mine');
    expect(normalization).toEqual({ mean: [127.5, 127.5, 127.5], std: [128, 128, 128] });
  });

  test('of a shipped model is read', async () => {
    const model = repositoryFile('edge_runtime/models/cnn-int8.tflite');
    expect(await readMetadata(model, 'cnn-int8')).toEqual({
      labels: CIFAR10,
      normalization: { mean: [0, 0, 0], std: [255, 255, 255] },
      source: 'model card',
      threshold: expect.closeTo(0.49, 1),
    });
  });

  test.each([
    { mean: [1, 2], std: [1, 1, 1] },
    { mean: [1, 2, 3], std: [1, 0, 1] },
    { mean: [1, 2, 'much'], std: [1, 1, 1] },
    { mean: 'none', std: [1, 1, 1] },
    { std: [1, 1, 1] },
  ])('with the normalization %j is refused', async (normalization) => {
    const data = withCard({ preprocessing: normalization });
    await expect(readMetadata(data, 'mine.tflite')).rejects.toThrow(
      new PageError('mine.tflite has a damaged model card; copy or export the model again.'),
    );
  });

  test.each([
    [{ fit: 'pad' }, 'fitted by pad and bicubic'],
    [{ resize: 'nearest' }, 'fitted by crop and nearest'],
  ])('that needs %j is refused', async (change, words) => {
    const data = withCard({ preprocessing: { ...PREPROCESSING, ...change } });
    await expect(readMetadata(data, 'mine.tflite')).rejects.toThrow(words);
  });
});

describe('the threshold of scores', () => {
  test.each([
    [{ preprocessing: PREPROCESSING, acceptance: { threshold: 0.5, table: [] } }, 0.5],
    [{ acceptance: { threshold: 0.25 } }, 0.25],
    [{ preprocessing: PREPROCESSING }, undefined],
    [{ acceptance: null }, undefined],
    [{ acceptance: { threshold: 'high' } }, undefined], // another tool's card
  ])('of the card %j is %s', async (card, threshold) => {
    expect((await readMetadata(withCard(card), 'mine')).threshold).toBe(threshold);
  });
});

describe('labels', () => {
  test('may end with CRLF and empty lines', async () => {
    const { labels } = await readMetadata(withCard({}, 'rot\r\ngrün\r\n\r\n \r\n'), 'mine');
    expect(labels).toEqual(['rot', 'grün']);
  });

  test('keep empty lines in between, which stand for classes', async () => {
    const { labels } = await readMetadata(withCard({}, 'rot\n\nblau\n'), 'mine');
    expect(labels).toEqual(['rot', '', 'blau']);
  });

  test('are absent if the file has none', async () => {
    expect(await readMetadata(GRAPH, 'mine')).toEqual({
      labels: [],
      normalization: undefined,
      source: 'metadata',
    });
  });
});

describe('damaged attached files are refused with their model’s name:', () => {
  test.each([
    ['a card that is not JSON', attach(GRAPH, { 'model-card.json': '{' })],
    ['labels that are not UTF-8', attach(GRAPH, { 'labels.txt': Uint8Array.of(0xff, 0xfe) })],
    ['a damaged archive', replaceBytes(withCard({}), 'PK\x01\x02', 'PK\x00\x00')],
  ])('%s', async (_, data) => {
    await expect(readMetadata(data, 'mine.tflite')).rejects.toThrow(
      /^The files attached to mine\.tflite are damaged \(.+\); copy or export the model again\.$/,
    );
  });
});

/** Standard TFLite Metadata in a model without a graph. */
function standard({
  units = [] as Fields[],
  files = [] as Fields[],
  name = 'TFLITE_METADATA',
}): Uint8Array {
  const input: Fields = { 4: { tables: units } };
  const output: Fields = { 6: { tables: files } };
  const subgraph: Fields = { 2: { tables: [input] }, 3: { tables: [output] } };
  const metadata = flatbuffer({ 3: { tables: [subgraph] } }, 'M001');
  return flatbuffer(
    {
      4: { tables: [{}, { 0: { bytes: metadata } }] },
      6: { tables: [{ 0: { text: name }, 1: { uint32: 1 } }] },
    },
    'TFL3',
  );
}

function normalizationUnit(mean: number[], std: number[]): Fields {
  return { 0: { int8: 1 }, 1: { table: { 0: { float32s: mean }, 1: { float32s: std } } } };
}

const AXIS_LABELS = { int8: 2 };

describe('standard TFLite Metadata', () => {
  test('gives normalization and the name of the labels', async () => {
    const graph = standard({
      units: [{ 0: { int8: 3 } }, normalizationUnit([0.5], [0.25])],
      files: [
        { 0: { text: 'readme.txt' }, 2: { int8: 1 } },
        { 0: { text: 'farben.txt' }, 2: AXIS_LABELS },
      ],
    });
    const data = attach(graph, { 'readme.txt': 'no labels', 'farben.txt': 'rot\nblau\n' });
    expect(await readMetadata(data, 'mine')).toEqual({
      labels: ['rot', 'blau'],
      normalization: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
      source: 'metadata',
    });
  });

  test('prefers labels without a locale to translations', async () => {
    const graph = standard({
      files: [
        { 0: { text: 'de.txt' }, 2: AXIS_LABELS, 3: { text: 'de' } },
        { 0: { text: 'en.txt' }, 2: AXIS_LABELS },
      ],
    });
    const data = attach(graph, { 'de.txt': 'rot\n', 'en.txt': 'red\n' });
    expect((await readMetadata(data, 'mine')).labels).toEqual(['red']);
  });

  test('that another program left under another name is ignored', async () => {
    const graph = standard({ units: [normalizationUnit([1], [2])], name: 'min_runtime_version' });
    expect((await readMetadata(graph, 'mine')).normalization).toBeUndefined();
  });

  test.each([
    [[1], [0]],
    [[1, 2], [1, 2]],
    [[NaN], [1]],
  ])('with mean %j and deviation %j is refused', async (mean, std) => {
    const graph = standard({ units: [normalizationUnit(mean, std)] });
    await expect(readMetadata(graph, 'mine.tflite')).rejects.toThrow(
      'expected means and deviations for 1 or 3 channels, none 0',
    );
  });

  test('of a shipped model says the same as its card', async () => {
    const graph = graphOnly(repositoryFile('edge_runtime/models/cnn-int8.tflite'));
    const data = attach(graph, { 'labels.txt': 'a\nb\n' });
    expect(await readMetadata(data, 'cnn-int8')).toEqual({
      labels: ['a', 'b'],
      normalization: { mean: [0, 0, 0], std: [255, 255, 255] },
      source: 'metadata',
    });
  });
});
