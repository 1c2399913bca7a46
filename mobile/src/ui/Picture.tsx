/** An image of the service, cached on the device; `path` is what the API returned. */
import { Image } from 'expo-image';
import { StyleSheet } from 'react-native';

import { absolute } from '@/api/client';
import { session } from '@/api/session';
import { useColors } from '@/ui/theme';

interface PictureProps {
  /** Identity of the image: a signed path changes, the image behind it does not. */
  id: string;
  path: string;
  label: string;
  aspect?: number;
  /** Send the session's token: the image is its owner's. */
  own?: boolean;
}

export function Picture({ id, path, label, aspect = 1200 / 630, own = false }: PictureProps) {
  const colors = useColors();
  const token = own ? session()?.token : undefined;
  const headers = token === undefined ? undefined : { Authorization: `Bearer ${token}` };
  return (
    <Image
      source={{ uri: absolute(path), cacheKey: id, ...(headers ? { headers } : {}) }}
      recyclingKey={id}
      alt={label}
      accessibilityLabel={label}
      contentFit="cover"
      cachePolicy="memory-disk"
      transition={0}
      style={[styles.image, { aspectRatio: aspect, backgroundColor: colors.border }]}
    />
  );
}

const styles = StyleSheet.create({ image: { width: '100%', borderRadius: 12 } });
