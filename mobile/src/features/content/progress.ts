/** Live progress of a piece of content over server-sent events. */
import { useEffect, useState } from 'react';

import { absolute } from '@/api/client';
import { follow } from '@/api/sse';
import type { Content } from '@/features/content/queries';
import { queryClient, setItems } from '@/data';

export interface Progress {
  text: string;
  error: unknown;
}

/** Follow a piece while it is queued; its text so far. The query is updated with the result. */
export function useProgress(content: Content | undefined): Progress {
  const [progress, setProgress] = useState<Progress>({ text: '', error: null });
  const id = content?.state === 'queued' ? content.id : null;
  useEffect(() => {
    if (id === null) return;
    const aborter = new AbortController();
    void run(id, aborter.signal, setProgress);
    return () => aborter.abort();
  }, [id]);
  return progress;
}

async function run(id: string, signal: AbortSignal, set: (progress: Progress) => void): Promise<void> {
  let text = '';
  try {
    for await (const event of follow(absolute(`/v1/contents/${id}/events`), signal)) {
      if (event.name === 'started') text = '';
      else if (event.name === 'text') text += (JSON.parse(event.data) as { text: string }).text;
      else if (event.name === 'ready' || event.name === 'failed') {
        const content = JSON.parse(event.data) as Content;
        queryClient.setQueryData(['content', id], content);
        setItems<Content>(['contents'], (item) => (item.id === id ? content : item));
        return;
      }
      set({ text, error: null });
    }
    await queryClient.invalidateQueries({ queryKey: ['content', id] });
  } catch (error) {
    if (!signal.aborted) set({ text, error });
  }
}
