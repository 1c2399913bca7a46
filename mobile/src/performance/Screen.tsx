/**
 * The content of a route: sets the title, and measures time to render (React Profiler), time lost to dropped frames and
 * time on screen.
 */
import { useFocusEffect } from 'expo-router';
import { Profiler, useCallback, useRef, type ProfilerOnRenderCallback, type ReactNode } from 'react';

import { record } from '@/performance/events';
import { countCommit, watchFrames } from '@/performance/measure';
import { texts, titles } from '@/texts';
import { setTitle } from '@/ui/title';

/** `name` is the route's name. Mount one around the content of each route. */
export function Screen({ name, children }: { name: string; children: ReactNode }) {
  const rendered = useRef(0);
  const onRender: ProfilerOnRenderCallback = (_id, _phase, actualDuration) => {
    rendered.current += actualDuration;
    countCommit(name, actualDuration);
  };
  // Screens below the top of a stack stay mounted, so the time is that of the focused screen.
  useFocusEffect(
    useCallback(() => {
      setTitle(titles[name] ?? texts.app);
      const began = Date.now();
      const stopFrames = watchFrames();
      return () => {
        const lost = stopFrames();
        record('screen.viewed', { screen: name, seconds: round((Date.now() - began) / 1000) });
        record('screen.rendered', { screen: name, seconds: round(rendered.current / 1000) });
        rendered.current = 0;
        if (lost > 0) record('frames.dropped', { screen: name, seconds: round(lost / 1000) });
      };
    }, [name]),
  );
  return (
    <Profiler id={name} onRender={onRender}>
      {children}
    </Profiler>
  );
}

function round(seconds: number): number {
  return Math.round(seconds * 10_000) / 10_000;
}
