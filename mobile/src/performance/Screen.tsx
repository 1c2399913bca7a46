/** Measure a screen: time to render (React Profiler), time lost to dropped frames, time on screen. */
import { Profiler, useEffect, useRef, type ProfilerOnRenderCallback, type ReactNode } from 'react';

import { record } from '@/performance/events';
import { countCommit, watchFrames } from '@/performance/measure';

/** `name` is the route's name. Mount one around the content of each route. */
export function Screen({ name, children }: { name: string; children: ReactNode }) {
  const rendered = useRef(0);
  const onRender: ProfilerOnRenderCallback = (_id, phase, actualDuration) => {
    rendered.current += actualDuration;
    countCommit(name, phase, actualDuration);
  };
  useEffect(() => {
    const began = Date.now();
    const stopFrames = watchFrames();
    return () => {
      const lost = stopFrames();
      record('screen.viewed', { screen: name, seconds: round((Date.now() - began) / 1000) });
      record('screen.rendered', { screen: name, seconds: round(rendered.current / 1000) });
      if (lost > 0) record('frames.dropped', { screen: name, seconds: round(lost / 1000) });
    };
  }, [name]);
  return (
    <Profiler id={name} onRender={onRender}>
      {children}
    </Profiler>
  );
}

function round(seconds: number): number {
  return Math.round(seconds * 10_000) / 10_000;
}
