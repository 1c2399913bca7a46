/** Measurements of this start of the app, readable by the tests in the browser as `globalThis.kingdom`. */
import { cache } from '@/data';
import { record } from '@/performance/events';

/** A frame above this counts as dropped: at 60 Hz, two intervals, in ms. */
const FRAME_MS = 1000 / 60;

export interface Measurements {
  /** Time from the start of the navigation to the first usable screen, in ms; null before. */
  interactive: number | null;
  interactiveScreen: string | null;
  /** Commits and their duration in ms, by screen. */
  commits: Record<string, { count: number; ms: number }>;
  /** Renders of list rows, by `list:id`. */
  rows: Record<string, number>;
  cache: typeof cache.counts;
}

const measurements: Measurements = {
  interactive: null,
  interactiveScreen: null,
  commits: {},
  rows: {},
  cache: cache.counts,
};

Object.assign(globalThis, { kingdom: measurements });

const started = typeof performance === 'undefined' ? Date.now() : 0;

/** Called when a screen shows its content and reacts to input; the first call of a start counts. */
export function interactive(screen: string): void {
  if (measurements.interactive !== null) return;
  const now = typeof performance === 'undefined' ? Date.now() : performance.now();
  measurements.interactive = now - started;
  measurements.interactiveScreen = screen;
  record('app.interactive', { screen, seconds: Math.round(measurements.interactive) / 1000 });
}

export function countCommit(screen: string, ms: number): void {
  const sum = (measurements.commits[screen] ??= { count: 0, ms: 0 });
  sum.count += 1;
  sum.ms += ms;
}

/** Count a render of a list row. Called during render on purpose: it counts renders, not commits. */
export function countRow(list: string, id: string): void {
  const key = `${list}:${id}`;
  measurements.rows[key] = (measurements.rows[key] ?? 0) + 1;
}

/** Watch frames until the returned function is called; it returns the time lost to dropped frames, in ms. */
export function watchFrames(): () => number {
  if (typeof requestAnimationFrame === 'undefined') return () => 0;
  let lost = 0;
  let last: number | null = null;
  let handle = requestAnimationFrame(function tick(now: number) {
    if (last !== null && now - last > 2 * FRAME_MS) lost += now - last - FRAME_MS;
    last = now;
    handle = requestAnimationFrame(tick);
  });
  return () => {
    cancelAnimationFrame(handle);
    return lost;
  };
}
