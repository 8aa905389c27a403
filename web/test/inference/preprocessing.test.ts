import { expect, test } from 'vitest';
import { fit } from '../../src/inference/preprocessing';
import { opaque } from '../images';
import reference from '../reference.json';

test.each(reference.images)(
  'equals the Python runtime byte for byte: $name',
  ({ width, height, rgb, outWidth, outHeight, fitted }) => {
    const image = opaque(width, height, Buffer.from(rgb, 'base64'));
    const expected = Buffer.from(fitted, 'base64');
    expect(expected).toHaveLength(outWidth * outHeight * 3);
    expect([...fit(image, outWidth, outHeight)]).toEqual([...expected]);
  },
);

test('of a wide image only the centre counts', () => {
  const [red, grey] = [[255, 0, 0], [90, 90, 90]];
  const row = [...Array(10).fill(red), ...Array(10).fill(grey), ...Array(10).fill(red)].flat();
  const image = opaque(30, 10, Array(10).fill(row).flat());
  // The filter of the outer columns reaches the red parts, that of the middle column does not.
  expect([...fit(image, 5, 5).slice(6, 9)]).toEqual(grey);
});

test('the image itself stays as it is', () => {
  const image = opaque(4, 4, Array.from({ length: 48 }, (_, i) => i * 5));
  const before = [...image.data];
  fit(image, 2, 2);
  fit(image, 4, 4).fill(0);
  expect([...image.data]).toEqual(before);
});
