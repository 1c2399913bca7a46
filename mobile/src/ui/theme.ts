/** Colors of the system's scheme, and the scale of sizes. */
import { useColorScheme } from 'react-native';

import { dark, light, type Colors } from '@/ui/colors';

export type { Colors };

export const space = { s: 8, m: 16, l: 24 } as const;

export function useColors(): Colors {
  return useColorScheme() === 'dark' ? dark : light;
}
