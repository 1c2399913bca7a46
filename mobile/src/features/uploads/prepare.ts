/** Reduce an image before its upload: at most 2560 px wide or high (the service's largest variant), WebP. */
import { ImageManipulator, SaveFormat } from 'expo-image-manipulator';

export const MAX_SIDE = 2560;
const QUALITY = 0.82;

export interface Prepared {
  blob: Blob;
  mediaType: string;
  /** Size of the original, in bytes; null if the picker does not report it. */
  originalBytes: number | null;
}

export interface Picked {
  uri: string;
  width: number;
  height: number;
  fileSize?: number | null;
  mimeType?: string | null;
}

/** The size to scale to, or null for an image that is small enough. */
export function targetSize(width: number, height: number): { width: number } | { height: number } | null {
  if (Math.max(width, height) <= MAX_SIDE) return null;
  return width >= height ? { width: MAX_SIDE } : { height: MAX_SIDE };
}

export async function prepare(picked: Picked): Promise<Prepared> {
  const context = ImageManipulator.manipulate(picked.uri);
  const size = targetSize(picked.width, picked.height);
  if (size !== null) context.resize(size);
  const image = await context.renderAsync();
  const saved = await image.saveAsync({ format: SaveFormat.WEBP, compress: QUALITY });
  const blob = await (await fetch(saved.uri)).blob();
  const originalBytes = picked.fileSize ?? null;
  if (size === null && originalBytes !== null && blob.size >= originalBytes && picked.mimeType) {
    // A small or already compressed image: its own bytes are the smaller ones.
    return { blob: await (await fetch(picked.uri)).blob(), mediaType: picked.mimeType, originalBytes };
  }
  return { blob, mediaType: blob.type || 'image/webp', originalBytes };
}
