/** Takes what the user brings or picks: samples, files, dropped files and pasted images. */

import { PageError, sentence } from '../errors';
import { SIDECAR } from '../inference/acceptance';
import { openedModel } from '../inputs/model-file';
import { attempt, showAlert } from './alert';
import type { ModelChoice } from './model-choice';
import type { Runner } from './runner';
import type { Stage } from './stage';
import type { Startup } from './startup';
import type { PageState } from './state';
import * as tray from './tray';

export class Input {
  constructor(
    private readonly state: PageState,
    private readonly stage: Stage,
    private readonly runner: Runner,
    private readonly models: ModelChoice,
    private readonly startup: Startup,
  ) {}

  /** Adds sample images to the tray. */
  addSamples(samples: { name: string; url: string }[]): void {
    for (const { name, url } of samples) {
      const read = async () => (await fetch(url)).blob();
      this.state.items.push(tray.addItem(`Sample: ${name}`, read, this.pick, { url }));
    }
  }

  /** Takes files, or shows a message if there are none. */
  accept(files: FileList | undefined, ifNone: string): void {
    showAlert('');
    void attempt(async () => {
      if (!files?.length) throw new PageError(ifNone);
      await this.bring([...files]);
    });
  }

  /**
   * Takes images and models, and shows the last image unless the user has asked for something else.
   *
   * The file of thresholds beside a model is taken with the model.
   *
   * @throws PageError some files cannot be used; all others are taken.
   */
  async bring(files: File[]): Promise<void> {
    const before = this.state.requests.newest;
    await this.startup.ready();
    const failures: string[] = [];
    const sidecars = new Map(
      files.filter(({ name }) => name.endsWith(SIDECAR)).map((file) => [file.name, file]),
    );
    let last: tray.TrayItem | undefined;
    for (const file of files) {
      try {
        if (isModel(file)) {
          await this.models.add(openedModel(file, sidecars.get(file.name + SIDECAR)));
        } else if (!sidecars.has(file.name)) {
          last = await this.addImage(file);
        } else if (!files.some(({ name }) => name + SIDECAR === file.name)) {
          throw new PageError(`${file.name} holds thresholds; drop its model together with it.`);
        }
      } catch (error) {
        failures.push(sentence(error));
      }
    }
    if (last !== undefined && this.state.requests.isNewest(before)) await this.showItem(last);
    if (failures.length > 0) throw new PageError(failures.join(' '));
  }

  private readonly pick = (item: tray.TrayItem): void => {
    showAlert('');
    void attempt(() => this.showItem(item));
  };

  /** Shows an item and classifies it, with the first model once it is loaded. */
  private async showItem(item: tray.TrayItem): Promise<void> {
    const shown = await this.stage.showItem(item, this.state.requests.begin());
    if (!shown) return;
    // The first model classifies what is on the stage when it is loaded.
    if (this.state.classifier === undefined) await this.startup.ready();
    else await this.runner.classifyStill();
  }

  private async addImage(file: File): Promise<tray.TrayItem> {
    const item = tray.addItem(file.name, async () => file, this.pick, { first: true });
    try {
      await this.runner.classify(await tray.open(item), item);
      this.state.items.push(item);
      return item;
    } catch (error) {
      tray.remove(item);
      throw error;
    }
  }
}

function isModel({ name }: File): boolean {
  return name.toLowerCase().endsWith('.tflite');
}
