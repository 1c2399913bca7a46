import { MAX_SIDE, targetSize } from '@/features/uploads/prepare';
import { chooseVariant, type Variant } from '@/features/uploads/queries';

jest.mock('expo-image-manipulator', () => ({ ImageManipulator: {}, SaveFormat: {} }));

const variant = (width: number, format: string): Variant => ({
  url: `/${width}.${format}`,
  media_type: `image/${format}`,
  width,
  height: width,
  size: 1,
});
const VARIANTS = [
  variant(320, 'avif'),
  variant(320, 'webp'),
  variant(1280, 'avif'),
  variant(1280, 'webp'),
  variant(2560, 'webp'),
];

test.each([
  [200, '/320.avif'],
  [320, '/320.avif'],
  [321, '/1280.avif'],
  [1281, '/2560.webp'],
  [9000, '/2560.webp'],
])('for %d pixels the variant %s is requested', (pixels, url) => {
  expect(chooseVariant(VARIANTS, pixels)?.url).toBe(url);
});

test('a device that does not decode AVIF gets WebP', () => {
  expect(chooseVariant(VARIANTS, 300, ['image/webp'])?.url).toBe('/320.webp');
});

test('an image without variants has none', () => {
  expect(chooseVariant([], 300)).toBeUndefined();
});

test('images are scaled by their longer side, and small ones are not', () => {
  expect(targetSize(6000, 4000)).toEqual({ width: MAX_SIDE });
  expect(targetSize(3000, 4000)).toEqual({ height: MAX_SIDE });
  expect(targetSize(MAX_SIDE, 100)).toBeNull();
});
