import { expect, test } from 'vitest';
import { PageError, sentence } from '../src/errors';

test('an expected failure says its own sentence', () => {
  expect(sentence(new PageError('a.png is empty; choose another image.'))).toBe(
    'a.png is empty; choose another image.',
  );
});

test.each([
  [new TypeError('x is undefined'), 'x is undefined'],
  ['thrown text', 'thrown text'],
])('an unexpected one says what to do: %s', (error, reason) => {
  expect(sentence(error)).toBe(
    `Something unexpected went wrong (${reason}); reload the page and try again.`,
  );
});
