import Svg, { Path } from 'react-native-svg';

import { ICONS } from '@/ui/icons';

export type IconName = keyof typeof ICONS;

/** A decorative icon; its control carries the label. */
export function Icon({ name, color, size = 24 }: { name: IconName; color: string; size?: number }) {
  return (
    <Svg width={size} height={size} viewBox="0 0 24 24" aria-hidden>
      <Path d={ICONS[name]} fill={color} />
    </Svg>
  );
}
