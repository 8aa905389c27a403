/**
 * The parts of the page, wired to each other and to fakes; each test gets new ones.
 *
 * Import this before the modules that it mocks.
 */

import { beforeEach, vi } from 'vitest';
import { Classifier } from '../../src/inference/classifier';
import { CameraLoop } from '../../src/page/camera-loop';
import { Input } from '../../src/page/input';
import { ModelChoice } from '../../src/page/model-choice';
import { Runner } from '../../src/page/runner';
import { Stage } from '../../src/page/stage';
import { Startup } from '../../src/page/startup';
import { PageState } from '../../src/page/state';
import * as tray from '../../src/page/tray';
import * as view from '../../src/page/view';
import { asClassifier, fakeClassifier, fakeItem, fakeModel, type FakeItem } from './fakes';

vi.mock('../../src/inference/classifier', () => ({ Classifier: { load: vi.fn() } }));
vi.mock('../../src/inference/engine', () => ({
  loadRuntime: vi.fn(async () => undefined),
  whyNoWebGpu: () => undefined,
}));
vi.mock('../../src/inputs/camera', () => ({ Camera: { open: vi.fn() } }));
vi.mock('../../src/page/dom', () => ({ element: vi.fn(() => ({})) }));
vi.mock('../../src/page/offline', () => ({ keepForOffline: vi.fn(async () => 'offline') }));
vi.mock('../../src/page/tray');
vi.mock('../../src/page/view');
vi.mock('../../src/page/alert', async (original) => {
  const { sentence } = await import('../../src/errors');
  const showAlert = vi.fn();
  const attempt = (work: () => Promise<void>) =>
    work().catch((error: unknown) => showAlert(sentence(error)));
  return { ...(await original<object>()), showAlert, attempt };
});

export const FIRST = fakeModel('cnn-int8');

export let state: PageState, stage: Stage, runner: Runner;
export let models: ModelChoice, startup: Startup, input: Input, camera: CameraLoop;

/** Makes `Classifier.load` return a fake named after the model. */
function loadFakes(): void {
  vi.mocked(Classifier.load).mockImplementation(async (_data, name, accelerator) =>
    asClassifier(fakeClassifier(name, accelerator)),
  );
}

/** Picks an item of the tray, as a click does. */
export function pick(item: FakeItem): void {
  const [, , onPicked] = vi.mocked(tray.addItem).mock.calls[0]!;
  onPicked(item);
}

export function bestLabel(): string | undefined {
  return state.result?.predictions[0]!.label;
}

beforeEach(() => {
  vi.clearAllMocks();
  vi.mocked(view.acceptsAll).mockReturnValue(false);
  vi.mocked(tray.open).mockImplementation((item) => (item as FakeItem).reading.promise);
  vi.mocked(tray.addItem).mockImplementation((name) => fakeItem(name));
  loadFakes();
  state = new PageState([FIRST], FIRST.name);
  stage = new Stage(state);
  runner = new Runner(state, stage);
  models = new ModelChoice(state, runner);
  startup = new Startup(state, stage, runner, models);
  input = new Input(state, stage, runner, models, startup);
  camera = new CameraLoop(state, stage, runner, startup);
  input.addSamples([{ name: 'cat', url: 'cat.png' }, { name: 'ship', url: 'ship.png' }]);
});
