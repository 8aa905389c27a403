/** The camera's frames, and what ends them. */

import { beforeEach, describe, expect, test, vi } from 'vitest';
// Before the modules that it mocks.
import { camera, pick, stage, startup, state } from './wired';
import { Camera } from '../../src/inputs/camera';
import { showAlert } from '../../src/page/alert';
import * as view from '../../src/page/view';
import { deferred, settled } from '../deferred';
import { grey } from '../images';
import { fakeItem, fakeModel } from './fakes';

test('the camera stays closed if the user picks an image while a model loads', async () => {
  const first = fakeModel('cnn-int8', { read: false });
  state.chosen = { model: first, accelerator: 'wasm' };
  const starting = camera.start();
  pick(fakeItem('mine.png'));
  await settled();
  first.reading.resolve(new Uint8Array());
  await starting;
  expect(Camera.open).not.toHaveBeenCalled();
  expect(stage.name).toBe('mine.png');
});

describe('the camera', () => {
  function fakeCamera() {
    const frames = [deferred<ReturnType<typeof grey>>()];
    return {
      frames,
      frame: vi.fn(() => frames.at(-1)!.promise),
      close: vi.fn(),
      show() {
        const frame = frames.at(-1)!;
        frames.push(deferred());
        frame.resolve(grey());
      },
    };
  }

  function nextCamera() {
    const fake = fakeCamera();
    vi.mocked(Camera.open).mockResolvedValueOnce(fake as unknown as Camera);
    return fake;
  }

  beforeEach(async () => {
    await startup.ready();
    await settled();
  });

  test('classifies frame after frame until it is stopped', async () => {
    const fake = nextCamera();
    await camera.start();
    const following = camera.follow();
    for (let i = 0; i < 3; i++) {
      fake.show();
      await settled();
    }
    expect(fake.frame).toHaveBeenCalledTimes(4);
    expect(stage.name).toBe('The last frame');
    stage.stopCamera();
    fake.show();
    await following;
    expect(fake.close).toHaveBeenCalledOnce();
    expect(view.showCamera).toHaveBeenLastCalledWith(false);
    expect(fake.frame).toHaveBeenCalledTimes(4);
  });

  test('gives way to an image that the user picks', async () => {
    const fake = nextCamera();
    await camera.start();
    const following = camera.follow();
    fake.show();
    await settled();
    pick(fakeItem('mine.png'));
    await settled();
    fake.show();
    await following;
    expect(fake.close).toHaveBeenCalledOnce();
    expect(stage.name).toBe('mine.png');
  });

  test('is closed again if the user asks for something else before it opens', async () => {
    const fake = fakeCamera();
    const opening = deferred<Camera>();
    vi.mocked(Camera.open).mockReturnValueOnce(opening.promise);
    const starting = camera.start();
    await settled();
    pick(fakeItem('mine.png'));
    await settled();
    opening.resolve(fake as unknown as Camera);
    await starting;
    expect(fake.close).toHaveBeenCalledOnce();
    expect(state.camera).toBeUndefined();
    expect(stage.name).toBe('mine.png');
    await camera.follow(); // there is nothing to follow
    expect(fake.frame).not.toHaveBeenCalled();
  });

  test('that is disconnected leaves its last frame, and a message', async () => {
    const fake = nextCamera();
    await camera.start();
    const following = camera.follow();
    fake.show();
    await settled();
    const [, onLost] = vi.mocked(Camera.open).mock.calls[0]!;
    onLost();
    fake.show();
    await following;
    expect(state.camera).toBeUndefined();
    expect(stage.name).toBe('The last frame');
    expect(showAlert).toHaveBeenLastCalledWith(expect.stringContaining('disconnected'));
  });

  test('whose frame fails is closed', async () => {
    const fake = nextCamera();
    await camera.start();
    const following = camera.follow();
    fake.frames[0]!.reject(new Error('no canvas has this size'));
    await expect(following).rejects.toThrow('no canvas has this size');
    expect(fake.close).toHaveBeenCalledOnce();
  });
});
