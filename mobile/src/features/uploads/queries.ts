import { absolute, api, conditional, ifNoneMatch, type Schemas } from '@/api/client';
import { problemOf } from '@/api/errors';
import { transport } from '@/api/transport';
import { cachedPages, queryClient } from '@/data';
import type { Prepared } from '@/features/uploads/prepare';

export type Media = Schemas['Media'];
export type Variant = Media['variants'][number];

export const uploadsQuery = cachedPages<Media>(['uploads'], (cursor, etag) =>
  conditional(
    api.GET('/v1/uploads', {
      params: { query: { limit: 20, ...(cursor === null ? {} : { cursor }) } },
      headers: ifNoneMatch(etag),
    }),
  ),
);

/** Upload an image that was reduced before. The same bytes again give the same media, so a repeat is harmless. */
export async function upload(prepared: Prepared): Promise<Media> {
  const response = await transport(
    new Request(absolute('/v1/uploads'), {
      method: 'POST',
      headers: { 'Content-Type': prepared.mediaType },
      body: prepared.blob,
    }),
  );
  if (!response.ok) throw await problemOf(response);
  const media = (await response.json()) as Media;
  await queryClient.invalidateQueries({ queryKey: ['uploads'] });
  return media;
}

export async function deleteUpload(id: string): Promise<void> {
  const response = await transport(new Request(absolute(`/v1/uploads/${id}`), { method: 'DELETE' }));
  if (!response.ok && response.status !== 404) throw await problemOf(response);
  await queryClient.invalidateQueries({ queryKey: ['uploads'] });
}

/**
 * The smallest variant that is at least `pixels` wide, else the largest; of two formats the better one that can be
 * decoded. `formats` is ordered from the best.
 */
export function chooseVariant(
  variants: readonly Variant[],
  pixels: number,
  formats: readonly string[] = ['image/avif', 'image/webp'],
): Variant | undefined {
  const usable = variants.filter((variant) => formats.includes(variant.media_type));
  const widths = [...new Set(usable.map((variant) => variant.width))].sort((a, b) => a - b);
  const width = widths.find((each) => each >= pixels) ?? widths.at(-1);
  return usable
    .filter((variant) => variant.width === width)
    .sort((a, b) => formats.indexOf(a.media_type) - formats.indexOf(b.media_type))[0];
}
