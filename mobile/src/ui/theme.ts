/** Colors of the light and the dark scheme (contrast of text at least 4.5 : 1), and the scale of sizes. */
import { useColorScheme } from 'react-native';

const light = {
  background: '#ffffff',
  surface: '#f3f1ee',
  border: '#d5d0c8',
  text: '#1c1a17',
  muted: '#5f594f',
  accent: '#7a3e9d',
  onAccent: '#ffffff',
  danger: '#b3261e',
  notice: '#fff3d6',
};

export type Colors = typeof light;

const dark: Colors = {
  background: '#141210',
  surface: '#211e1a',
  border: '#3d3830',
  text: '#f2eee8',
  muted: '#b4ab9d',
  accent: '#cfa3ea',
  onAccent: '#2a0f3a',
  danger: '#ffb4ab',
  notice: '#3b3014',
};

export const space = { s: 8, m: 16, l: 24 } as const;

export function useColors(): Colors {
  return useColorScheme() === 'dark' ? dark : light;
}
