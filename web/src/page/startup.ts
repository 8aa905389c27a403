/** Makes the page ready: the first model, a sample on the stage and the files for offline use. */

import { loadRuntime } from '../inference/engine';
import { attempt } from './alert';
import type { ModelChoice } from './model-choice';
import { keepForOffline } from './offline';
import type { Runner } from './runner';
import type { Stage } from './stage';
import type { PageState } from './state';
import * as view from './view';

const FIRST_SAMPLE = 'Sample: ship';

export class Startup {
  private starting: Promise<void> | undefined;

  constructor(
    private readonly state: PageState,
    private readonly stage: Stage,
    private readonly runner: Runner,
    private readonly models: ModelChoice,
  ) {}

  /** Waits for the first model. Loads it again if it could not be loaded before. */
  async ready(): Promise<void> {
    if (this.state.classifier !== undefined) return;
    this.starting ??= this.start().finally(() => (this.starting = undefined));
    await this.starting;
  }

  /** Shows a sample if the user has asked for nothing, then keeps the page for offline use. */
  async settle(): Promise<void> {
    const { state } = this;
    const sample = state.items.find(({ name }) => name === FIRST_SAMPLE) ?? state.items[0];
    const nothing = state.requests.newest;
    if (nothing === 0 && state.onStage === undefined && sample !== undefined) {
      if (await this.stage.showItem(sample, nothing)) await this.runner.classifyStill();
    }
    view.showOffline(await keepForOffline());
  }

  private async start(): Promise<void> {
    // Starts LiteRT while the model loads. `use` waits for it too, and reports an error.
    void loadRuntime().catch(() => undefined);
    await this.models.use(this.state.chosen.model, this.state.chosen.accelerator);
    void attempt(() => this.settle());
  }
}
