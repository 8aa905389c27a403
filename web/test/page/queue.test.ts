import { expect, test } from 'vitest';
import { queue } from '../../src/page/queue';
import { deferred } from '../deferred';

test('work starts when the previous work has ended', async () => {
  const inTurn = queue();
  const first = deferred<string>();
  const log: string[] = [];
  const one = inTurn(() => (log.push('first starts'), first.promise));
  const two = inTurn(async () => (log.push('second starts'), 'two'));
  await Promise.resolve();
  expect(log).toEqual(['first starts']);
  first.resolve('one');
  expect(await Promise.all([one, two])).toEqual(['one', 'two']);
  expect(log).toEqual(['first starts', 'second starts']);
});

test('work that fails does not hold up the next, and its caller gets the error', async () => {
  const inTurn = queue();
  const one = inTurn(async () => Promise.reject(new Error('no')));
  const two = inTurn(async () => 2);
  await expect(one).rejects.toThrow('no');
  expect(await two).toBe(2);
});
