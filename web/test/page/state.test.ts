import { expect, test, vi } from 'vitest';
import type { Classifier, Result } from '../../src/inference/classifier';
import type { Camera } from '../../src/inputs/camera';
import type { ModelFile } from '../../src/inputs/model-file';
import { PageState, Requests } from '../../src/page/state';
import { grey } from '../images';

function model(name: string, network = name, precision = 'own file'): ModelFile {
  return { name, network, precision, read: async () => new Uint8Array() };
}

const CNN = [model('cnn-float32', 'cnn', 'float32'), model('cnn-int8', 'cnn', 'int8')];
const RESNET = model('resnet18-int8', 'resnet18', 'int8');

test('only the newest request is the newest', () => {
  const requests = new Requests();
  expect(requests.isNewest(0)).toBe(true); // the user has asked for nothing
  const [first, second] = [requests.begin(), requests.begin()];
  expect([first, second].map((request) => requests.isNewest(request))).toEqual([false, true]);
  expect(requests.isNewest(0)).toBe(false);
});

test('the default model is chosen, or the first one if it is missing', () => {
  expect(new PageState(CNN, 'cnn-int8').chosen.model).toBe(CNN[1]);
  expect(new PageState(CNN, 'missing').chosen).toEqual({ model: CNN[0], accelerator: 'wasm' });
});

test('a model replaces the one with its name and precision, and no other', () => {
  const state = new PageState(CNN, 'cnn-int8');
  const [mine, newer] = [model('mine.tflite'), model('mine.tflite')];
  state.addModel(mine);
  expect(state.models).toEqual([...CNN, mine]);
  state.addModel(newer);
  expect(state.models.at(-1)).toBe(newer);
  expect(state.models).toHaveLength(3);
  expect(CNN).toHaveLength(2);
});

test('a network that lacks the precision gives its first model', () => {
  const state = new PageState([...CNN, RESNET], 'cnn-int8');
  expect(state.findModel('cnn', 'int8')).toBe(CNN[1]);
  expect(state.findModel('resnet18', 'float32')).toBe(RESNET);
});

test('the previous classifier is closed, once', () => {
  const state = new PageState(CNN, 'cnn-int8');
  const [one, two] = [{ close: vi.fn() }, { close: vi.fn() }];
  state.replaceClassifier(one as unknown as Classifier);
  expect(one.close).not.toHaveBeenCalled();
  state.replaceClassifier(two as unknown as Classifier);
  expect(one.close).toHaveBeenCalledOnce();
  expect(two.close).not.toHaveBeenCalled();
  expect(state.classifier).toBe(two);
});

test('a result counts only while its image is on the stage', () => {
  const state = new PageState(CNN, 'cnn-int8');
  const [image, other] = [grey(), grey()];
  const result = { runMs: 1 } as Result;
  expect(state.acceptResult(image, result)).toBe(false);
  state.onStage = { image };
  expect(state.acceptResult(other, result)).toBe(false); // equal pixels are not the same image
  expect(state.result).toBeUndefined();
  expect(state.acceptResult(image, result)).toBe(true);
  expect(state.result).toBe(result);
});

test('a camera has a rate as long as it is open', () => {
  const state = new PageState(CNN, 'cnn-int8');
  state.closeCamera(); // nothing happens
  const camera = { close: vi.fn() };
  state.openCamera(camera as unknown as Camera);
  expect([state.camera, state.rate?.perSecond]).toEqual([camera, NaN]);
  state.closeCamera();
  expect(camera.close).toHaveBeenCalledOnce();
  expect([state.camera, state.rate]).toEqual([undefined, undefined]);
});
