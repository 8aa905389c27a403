/** Loads the model that the user chooses, and shows the choice. */

import { Classifier } from '../inference/classifier';
import { whyNoWebGpu, type Accelerator } from '../inference/engine';
import type { DecodedImage } from '../inputs/decode';
import type { ModelFile } from '../inputs/model-file';
import { showAlert } from './alert';
import { Latencies } from './latency';
import { queue } from './queue';
import type { Runner } from './runner';
import type { PageState } from './state';
import * as tray from './tray';
import * as view from './view';

export class ModelChoice {
  /** Makes models take effect in the order of the choices, however long each one loads. */
  private readonly inOrder = queue();

  constructor(
    private readonly state: PageState,
    private readonly runner: Runner,
  ) {}

  /**
   * Loads a model and classifies the image on the stage with it. Until the model is loaded, the
   * previous one classifies; if the model cannot be loaded, the previous one stays.
   */
  async use(model: ModelFile, accelerator: Accelerator): Promise<void> {
    const { state } = this;
    const reading = model.read();
    reading.catch(() => undefined); // the error is reported when it is this model's turn
    view.setBusy(true);
    try {
      await this.inOrder(async () => {
        const data = await reading;
        const sidecar = await model.readSidecar?.();
        await this.runner.alone(async () => {
          const images = () => this.firstImages();
          const next = await Classifier.load(data, model.name, accelerator, images, sidecar);
          state.replaceClassifier(next);
        });
      });
      const classifier = state.classifier!;
      state.chosen = { model, accelerator: classifier.engine.accelerator };
      state.latencies = new Latencies();
      tray.clearCaptions(state.items);
      view.showFacts(model.name, classifier);
      if (state.chosen.accelerator !== accelerator) {
        showAlert('LiteRT cannot run this model on the GPU in this browser; the CPU runs it.');
      }
    } finally {
      view.setBusy(false);
      this.show();
    }
    if (state.onStage !== undefined && state.camera === undefined) {
      await this.runner.classifyStill();
    }
  }

  /** Loads a model that the user brought, and offers it from now on. */
  async add(model: ModelFile): Promise<void> {
    await this.use(model, this.state.chosen.accelerator);
    this.state.addModel(model);
    this.show();
  }

  /** Shows the models to choose from, and the one that is chosen. */
  private show(): void {
    const { models, chosen } = this.state;
    view.showModels(models, chosen.model);
    view.showAccelerators(chosen.accelerator, whyNoWebGpu());
  }

  private firstImages(): Promise<DecodedImage[]> {
    return Promise.all(this.state.items.slice(0, 3).map((item) => tray.open(item)));
  }
}
