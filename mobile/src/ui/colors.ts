/**
 * Colors of the light and the dark scheme; contrast of text at least 4.5 : 1. Without imports: the build also writes them
 * into index.html (scripts/first-paint.js).
 */

export const light = {
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

export const dark: Colors = {
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
