import { expect, test } from 'vitest';
import { Latencies, Rate } from '../../src/page/latency';

test('percentiles are by nearest rank', () => {
  const latencies = new Latencies();
  [5, 1, 4, 2, 3].forEach((ms) => latencies.add(ms));
  expect([0, 20, 21, 50, 95, 100].map((percent) => latencies.percentile(percent))).toEqual([
    1, 1, 2, 3, 5, 5,
  ]);
});

test('without runs there is no percentile', () => {
  expect(new Latencies().percentile(50)).toBeNaN();
});

test('only the last runs count', () => {
  const latencies = new Latencies(3);
  [100, 100, 1, 2, 3].forEach((ms) => latencies.add(ms));
  expect(latencies.count).toBe(3);
  expect(latencies.percentile(100)).toBe(3);
});

test('the rate is that of the last two seconds', () => {
  const rate = new Rate();
  for (let ms = 0; ms <= 10_000; ms += 500) rate.tick(ms); // 2 a second, then 10 a second
  expect(rate.perSecond).toBe(2);
  for (let ms = 10_100; ms <= 12_100; ms += 100) rate.tick(ms);
  expect(rate.perSecond).toBe(10);
});

test('one event has no rate', () => {
  const rate = new Rate();
  expect(rate.perSecond).toBeNaN();
  rate.tick(1000);
  expect(rate.perSecond).toBeNaN();
});
