/** Figures of the most recent runs and frames. */

/** The run times of the last runs. */
export class Latencies {
  private readonly valuesMs: number[] = [];

  /** @param kept how many runs to keep. */
  constructor(private readonly kept = 1000) {}

  get count(): number {
    return this.valuesMs.length;
  }

  add(ms: number): void {
    if (this.valuesMs.push(ms) > this.kept) this.valuesMs.shift();
  }

  /** Returns a percentile in ms by the nearest-rank method; NaN without runs. */
  percentile(percent: number): number {
    const sorted = [...this.valuesMs].sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? NaN;
  }
}

const RATE_SPAN_MS = 2000;

/** The rate of events in the last two seconds. */
export class Rate {
  private readonly timesMs: number[] = [];

  tick(now = performance.now()): void {
    this.timesMs.push(now);
    while (this.timesMs[0]! < now - RATE_SPAN_MS) this.timesMs.shift();
  }

  /** Events per second; NaN before the second event. */
  get perSecond(): number {
    const spanMs = (this.timesMs.at(-1) ?? 0) - (this.timesMs[0] ?? 0);
    return spanMs > 0 ? ((this.timesMs.length - 1) * 1000) / spanMs : NaN;
  }
}
