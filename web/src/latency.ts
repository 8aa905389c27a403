/** Figures of the most recent runs. */

/** The last measurements, for percentiles. */
export class Latencies {
  private readonly valuesMs: number[] = [];

  constructor(private readonly kept = 1000) {}

  get count(): number {
    return this.valuesMs.length;
  }

  add(ms: number): void {
    if (this.valuesMs.push(ms) > this.kept) this.valuesMs.shift();
  }

  /** Returns a percentile by the nearest-rank method, in ms. */
  percentile(percent: number): number {
    const sorted = [...this.valuesMs].sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? NaN;
  }
}

/** Counts events over the last two seconds. */
export class Rate {
  private readonly timesMs: number[] = [];

  tick(now = performance.now()): void {
    this.timesMs.push(now);
    while (this.timesMs[0]! < now - 2000) this.timesMs.shift();
  }

  get perSecond(): number {
    const spanMs = (this.timesMs.at(-1) ?? 0) - (this.timesMs[0] ?? 0);
    return spanMs > 0 ? ((this.timesMs.length - 1) * 1000) / spanMs : NaN;
  }
}
