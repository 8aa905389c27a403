/** Runs the classifier on images, shows the results and keeps the run times. */

import type { Result } from '../inference/classifier';
import type { DecodedImage } from '../inputs/decode';
import { verdict } from './format';
import { Latencies } from './latency';
import { queue } from './queue';
import type { Stage } from './stage';
import type { PageState } from './state';
import * as tray from './tray';
import * as view from './view';

const REPEATS_AFTER_AN_IMAGE = { runs: 50, ms: 400 };
const REPEATS_ON_DEMAND = { runs: 1000, ms: 5000 };

export class Runner {
  /** Runs work alone: a graph runs one image at a time, and nothing may replace it meanwhile. */
  readonly alone = queue();

  constructor(
    private readonly state: PageState,
    private readonly stage: Stage,
  ) {}

  /** Classifies an image, and writes the best label under its item if it has one. */
  async classify(image: DecodedImage, item?: tray.TrayItem): Promise<Result> {
    const result = await this.alone(() => this.state.classifier!.classify(image));
    this.state.latencies.add(result.runMs);
    if (item !== undefined) tray.caption(item, this.verdict(result).label);
    return result;
  }

  /** Classifies what is on the stage. Returns undefined if that has changed meanwhile. */
  async classifyStage(): Promise<Result | undefined> {
    const { image, item } = this.state.onStage!;
    const result = await this.classify(image, item);
    if (!this.state.acceptResult(image, result)) return undefined;
    this.showResult();
    return result;
  }

  /** Classifies the image on the stage, speaks the result and repeats the run to measure it. */
  async classifyStill(): Promise<void> {
    const result = await this.classifyStage();
    if (result === undefined) return;
    view.speak(`${this.stage.name}: ${this.verdict(result).sentence}`);
    await this.repeat(result, REPEATS_AFTER_AN_IMAGE);
  }

  /** Shows the result again, for example with another number of classes. */
  showResult(): void {
    const { classifier, result, latencies, rate } = this.state;
    if (classifier === undefined || result === undefined) return;
    view.showResult(result, classifier.graph.input.shape, view.topK(), view.acceptsAll());
    view.showSpeed(latencies, rate);
  }

  /** Shows the result again after the user has decided whether to accept all scores. */
  judgeAgain(): void {
    const { items, onStage, result } = this.state;
    tray.clearCaptions(items); // the scores of the others are not kept
    if (result === undefined) return;
    const { label, sentence } = this.verdict(result);
    if (onStage?.item !== undefined) tray.caption(onStage.item, label);
    view.speak(sentence);
    this.showResult();
  }

  /** Returns what a result says, in words. */
  verdict(result: Result): ReturnType<typeof verdict> {
    return verdict(result, view.acceptsAll());
  }

  /** Measures many runs on the image of a result, and shows only these times. */
  async measure(result: Result): Promise<void> {
    this.state.latencies = new Latencies();
    await this.repeat(result, REPEATS_ON_DEMAND);
  }

  /** Repeats a run until a limit is reached, or a newer result or classifier takes its place. */
  private async repeat(result: Result, limit: { runs: number; ms: number }): Promise<void> {
    const { state } = this;
    const until = performance.now() + limit.ms;
    const current = state.classifier!;
    let replaced = false;
    let pause = 0;
    for (let run = 0; !replaced && run < limit.runs && performance.now() < until; run++) {
      await this.alone(async () => {
        replaced = state.result !== result || state.classifier !== current;
        if (!replaced) state.latencies.add((await current.run(result.seen)).runMs);
      });
      if (performance.now() > pause) {
        await new Promise((resolve) => setTimeout(resolve)); // let the page react
        pause = performance.now() + 100;
      }
    }
    view.showSpeed(state.latencies, state.rate);
  }
}
