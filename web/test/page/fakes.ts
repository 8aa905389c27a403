/** A page without a browser: fakes for what is shown, read and computed. */

import { vi } from 'vitest';
import type { Classifier, Result } from '../../src/inference/classifier';
import type { DecodedImage } from '../../src/inputs/decode';
import type { ModelFile } from '../../src/inputs/model-file';
import type { TrayItem } from '../../src/page/tray';
import { deferred, type Deferred } from '../deferred';
import { grey } from '../images';

/** An item whose image is read when the test says so. */
export interface FakeItem extends TrayItem {
  image: DecodedImage;
  reading: Deferred<DecodedImage>;
}

export function fakeItem(name: string, { read = true } = {}): FakeItem {
  const image = grey();
  const reading = deferred<DecodedImage>();
  if (read) reading.resolve(image);
  return { name, image, reading, button: {} as HTMLButtonElement, read: async () => new Blob() };
}

/** A model file that is read when the test says so. */
export interface FakeModel extends ModelFile {
  reading: Deferred<Uint8Array>;
}

export function fakeModel(name: string, { read = true } = {}): FakeModel {
  const reading = deferred<Uint8Array>();
  if (read) reading.resolve(new Uint8Array());
  const [network = '', precision = ''] = name.split('-');
  return { name, network, precision, reading, read: () => reading.promise };
}

/** A classifier whose best label is its own name. */
export function fakeClassifier(name: string, accelerator = 'wasm') {
  const result = (): Result => ({
    predictions: [{ label: name, index: 0, score: 0.75 }],
    accepted: true,
    seen: new Uint8Array(3),
    runMs: 2,
  });
  return {
    engine: { accelerator },
    graph: { input: { shape: [1, 4, 4, 3] } },
    classify: vi.fn(async (_image: DecodedImage) => result()),
    run: vi.fn(async () => ({ runMs: 1, raw: [0] })),
    close: vi.fn(),
  };
}

export function asClassifier(fake: ReturnType<typeof fakeClassifier>): Classifier {
  return fake as unknown as Classifier;
}
