/** How the page goes from one state to the next: the newest request wins, whatever comes first. */

import { describe, expect, test, vi } from 'vitest';
// Before the modules that it mocks.
import { bestLabel, FIRST, input, models, pick, runner, stage, startup, state } from './wired';
import { PageError } from '../../src/errors';
import { Classifier } from '../../src/inference/classifier';
import { showAlert } from '../../src/page/alert';
import * as tray from '../../src/page/tray';
import * as view from '../../src/page/view';
import { deferred, settled } from '../deferred';
import { grey } from '../images';
import { asClassifier, fakeClassifier, fakeItem, fakeModel } from './fakes';

describe('at the start', () => {
  test('a sample is classified, and the page is kept for offline use', async () => {
    await startup.ready();
    await settled();
    expect(stage.name).toBe('Sample: ship');
    expect(bestLabel()).toBe('cnn-int8');
    expect(view.speak).toHaveBeenCalledWith('Sample: ship: cnn-int8, 75.0 %');
    await vi.waitFor(() => expect(view.showOffline).toHaveBeenCalledWith('offline'));
  });

  test('the sample does not replace what the user asked for meanwhile', async () => {
    const item = fakeItem('mine.png');
    pick(item);
    await settled();
    expect(stage.name).toBe('mine.png');
    expect(bestLabel()).toBe('cnn-int8');
    expect(view.showStill).toHaveBeenCalledOnce();
  });

  test('callers wait for the same model, which is loaded once', async () => {
    await Promise.all([startup.ready(), startup.ready()]);
    expect(Classifier.load).toHaveBeenCalledOnce();
  });

  test('a model that could not be loaded is loaded again for the next request', async () => {
    vi.mocked(Classifier.load).mockRejectedValueOnce(new PageError('no connection'));
    await expect(startup.ready()).rejects.toThrow('no connection');
    expect(state.classifier).toBeUndefined();
    expect(view.setBusy).toHaveBeenLastCalledWith(false);
    await startup.ready();
    expect(state.classifier).toBeDefined();
  });
});

describe('images', () => {
  test('one that takes long to read does not replace a newer one', async () => {
    await startup.ready();
    const [slow, quick] = [fakeItem('slow.png', { read: false }), fakeItem('quick.png')];
    pick(slow);
    pick(quick);
    await settled();
    slow.reading.resolve(slow.image);
    await settled();
    expect(stage.name).toBe('quick.png');
    expect(tray.mark).toHaveBeenLastCalledWith(quick);
  });

  test('a result whose image has left the stage is not shown', async () => {
    await startup.ready();
    await settled();
    const fake = fakeClassifier('slow');
    const run = deferred<Awaited<ReturnType<typeof fake.classify>>>();
    fake.classify.mockReturnValueOnce(run.promise);
    state.classifier = asClassifier(fake);
    vi.mocked(view.showResult).mockClear();
    state.onStage = { image: grey() };
    const pending = runner.classifyStage();
    state.onStage = { image: grey() };
    run.resolve(await fakeClassifier('late').classify(grey()));
    expect(await pending).toBeUndefined();
    expect(view.showResult).not.toHaveBeenCalled();
    expect(bestLabel()).toBe('cnn-int8');
  });

  test('one that cannot be read leaves the stage as it is, and the message says why', async () => {
    await startup.ready();
    await settled();
    const broken = fakeItem('broken.png', { read: false });
    pick(broken);
    broken.reading.reject(new PageError('broken.png is empty; choose another image.'));
    await settled();
    expect(showAlert).toHaveBeenLastCalledWith('broken.png is empty; choose another image.');
    expect(stage.name).toBe('Sample: ship');
  });

  test('of several files the good ones are taken, and the last one is shown', async () => {
    await startup.ready();
    await settled();
    vi.mocked(tray.addItem).mockImplementation((name) => {
      const item = fakeItem(name, { read: name !== 'bad.png' });
      if (name === 'bad.png') item.reading.reject(new PageError('bad.png is damaged.'));
      return item;
    });
    const files = ['one.png', 'bad.png', 'two.png'].map((name) => new File(['x'], name));
    await expect(input.bring(files)).rejects.toThrow(new PageError('bad.png is damaged.'));
    expect(stage.name).toBe('two.png');
    expect(state.items.map(({ name }) => name)).toEqual([
      'Sample: cat',
      'Sample: ship',
      'one.png',
      'two.png',
    ]);
    expect(tray.remove).toHaveBeenCalledOnce();
  });

  test('files are not shown if the user picks something while they are read', async () => {
    await startup.ready();
    await settled();
    const slow = fakeItem('slow.png', { read: false });
    vi.mocked(tray.addItem).mockReturnValueOnce(slow);
    const bringing = input.bring([new File(['x'], 'slow.png')]);
    await settled();
    pick(fakeItem('picked.png'));
    await settled();
    slow.reading.resolve(slow.image);
    await bringing;
    expect(stage.name).toBe('picked.png');
    expect(state.items).toContain(slow); // it is in the tray nevertheless
  });

  test('no files at all give a message', async () => {
    input.accept(undefined, 'The clipboard holds no image; copy one first.');
    await settled();
    expect(showAlert).toHaveBeenLastCalledWith('The clipboard holds no image; copy one first.');
  });
});

describe('scores below the threshold', () => {
  test('are none of these, until the user accepts all', async () => {
    await startup.ready();
    await settled();
    const fake = fakeClassifier('bird');
    const rejected = { ...(await fake.classify(grey())), accepted: false };
    fake.classify.mockResolvedValue(rejected);
    state.classifier = asClassifier(fake);
    const item = fakeItem('acorn.png');
    pick(item);
    await settled();
    expect(tray.caption).toHaveBeenLastCalledWith(item, 'none of these');
    expect(view.speak).toHaveBeenLastCalledWith('acorn.png: none of these (bird 75.0 %)');
    vi.mocked(view.acceptsAll).mockReturnValue(true);
    runner.judgeAgain();
    expect(tray.clearCaptions).toHaveBeenLastCalledWith(state.items);
    expect(tray.caption).toHaveBeenLastCalledWith(item, 'bird');
    expect(view.speak).toHaveBeenLastCalledWith('bird, 75.0 %');
    expect(view.showResult).toHaveBeenLastCalledWith(rejected, [1, 4, 4, 3], undefined, true);
  });
});

describe('models', () => {
  test('come with the file of thresholds that is dropped beside them', async () => {
    await startup.ready();
    const sidecar = new File(['{}'], 'mine.tflite.acceptance.json');
    await input.bring([sidecar, new File(['x'], 'other.tflite'), new File(['x'], 'mine.tflite')]);
    const loads = vi.mocked(Classifier.load).mock.calls;
    expect(loads.map(([, name, , , beside]) => [name, beside])).toEqual([
      ['cnn-int8', undefined],
      ['other.tflite', undefined],
      ['mine.tflite', '{}'],
    ]);
    await expect(input.bring([sidecar])).rejects.toThrow(
      'mine.tflite.acceptance.json holds thresholds; drop its model together with it.',
    );
  });

  test('take effect in the order of the choices, even if the first one loads longest', async () => {
    await startup.ready();
    const [slow, quick] = [fakeModel('slow-int8', { read: false }), fakeModel('quick-int8')];
    const both = [models.use(slow, 'wasm'), models.use(quick, 'wasm')];
    await settled();
    expect(state.chosen.model).toBe(FIRST); // which classifies until then
    slow.reading.resolve(new Uint8Array());
    await Promise.all(both);
    expect(state.chosen.model).toBe(quick);
    expect(bestLabel()).toBe('quick-int8');
    expect(tray.clearCaptions).toHaveBeenCalledTimes(3);
  });

  test('the previous one classifies while the next one loads', async () => {
    await startup.ready();
    await settled();
    const next = fakeModel('next-int8', { read: false });
    const using = models.use(next, 'wasm');
    pick(fakeItem('mine.png'));
    await settled();
    expect([stage.name, bestLabel()]).toEqual(['mine.png', 'cnn-int8']);
    next.reading.resolve(new Uint8Array());
    await using;
    expect([stage.name, bestLabel()]).toEqual(['mine.png', 'next-int8']);
  });

  test('the previous one stays if the next one cannot be loaded', async () => {
    await startup.ready();
    const previous = state.classifier;
    vi.mocked(Classifier.load).mockRejectedValueOnce(new PageError('damaged'));
    await expect(models.use(fakeModel('next-int8'), 'wasm')).rejects.toThrow('damaged');
    expect(state.classifier).toBe(previous);
    expect(previous!.close).not.toHaveBeenCalled();
    expect(view.showModels).toHaveBeenLastCalledWith(state.models, FIRST);
    expect(view.setBusy).toHaveBeenLastCalledWith(false);
  });

  test('one that LiteRT moves to the CPU is shown there, with a message', async () => {
    await startup.ready();
    vi.mocked(Classifier.load).mockResolvedValueOnce(asClassifier(fakeClassifier('next', 'wasm')));
    await models.use(fakeModel('next-int8'), 'webgpu');
    expect(state.chosen.accelerator).toBe('wasm');
    expect(view.showAccelerators).toHaveBeenLastCalledWith('wasm', undefined);
    expect(showAlert).toHaveBeenLastCalledWith(expect.stringContaining('the CPU runs it'));
  });

  test('their times start anew', async () => {
    await startup.ready();
    await settled();
    const before = state.latencies;
    before.add(1000);
    await models.use(fakeModel('next-int8'), 'wasm');
    expect(state.latencies).not.toBe(before);
    expect(state.latencies.percentile(100)).toBe(2);
  });

  test('the GPU is compared on the first three images of the tray', async () => {
    input.addSamples([{ name: 'dog', url: 'dog.png' }, { name: 'frog', url: 'frog.png' }]);
    await startup.ready();
    const [, , , images] = vi.mocked(Classifier.load).mock.calls[0]!;
    vi.mocked(tray.open).mockClear();
    expect(await images()).toHaveLength(3);
    expect(vi.mocked(tray.open).mock.calls.map(([item]) => item.name)).toEqual([
      'Sample: cat',
      'Sample: ship',
      'Sample: dog',
    ]);
  });
});

describe('measuring', () => {
  test('repeats the run, and counts only these runs', async () => {
    await startup.ready();
    await settled();
    await vi.waitFor(() => expect(view.showOffline).toHaveBeenCalled());
    await runner.measure(state.result!);
    expect(state.latencies.count).toBe(1000);
    expect(state.latencies.percentile(100)).toBe(1); // `run` takes 1 ms, `classify` 2
  });

  test('stops when another result is shown', async () => {
    await startup.ready();
    await settled();
    const { result } = state;
    const fake = fakeClassifier('stops');
    fake.run.mockImplementationOnce(async () => {
      state.result = undefined;
      return { runMs: 1, raw: [0] };
    });
    state.classifier = asClassifier(fake);
    await runner.measure(result!);
    expect(fake.run).toHaveBeenCalledOnce();
  });
});
