/** The browser draws SVG itself: react-native-svg stays out of the web build. */
import { ICONS } from '@/ui/icons';

export type IconName = keyof typeof ICONS;

export function Icon({ name, color, size = 24 }: { name: IconName; color: string; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden>
      <path d={ICONS[name]} fill={color} />
    </svg>
  );
}
