/** Writes about content: shown at once, sent through the outbox, undone when the service refuses. */
import type { Content, Form } from '@/features/content/queries';
import { expirePages, queryClient, setItems, setQuery } from '@/data';
import { onSettled, submit } from '@/offline/outbox';

export interface NewContent {
  prompt: string;
  form: Form;
}

/** Create content; undefined when it waits for a connection. */
export async function createContent(body: NewContent): Promise<Content | undefined> {
  return (await submit({ kind: 'create', method: 'POST', path: '/v1/contents', body })) as Content | undefined;
}

export async function setPublished(content: Content, published: boolean): Promise<void> {
  const shown = published ? new Date().toISOString() : null;
  apply(content.id, (old) => ({ ...old, published_at: shown }));
  await submit({
    kind: published ? 'publish' : 'withdraw',
    method: published ? 'PUT' : 'DELETE',
    path: `/v1/contents/${content.id}/publication`,
    body: null,
  });
}

function apply(id: string, update: (old: Content) => Content): void {
  setQuery<Content>(['content', id], update);
  setItems<Content>(['contents'], (item) => (item.id === id ? update(item) : item));
}

/** Update the displayed content after the response to a write; call once at the start. */
export function followContentWrites(): () => void {
  return onSettled(({ write, data, error }) => {
    if (write.kind === 'create') {
      if (error === null) expirePages(['contents']);
      return;
    }
    if (write.kind !== 'publish' && write.kind !== 'withdraw') return;
    const id = write.path.split('/')[3] ?? '';
    if (error !== null) {
      // Undo: the opposite of the request, until the state of the service has been fetched.
      apply(id, (old) => ({
        ...old,
        published_at: write.kind === 'publish' ? null : (old.published_at ?? null),
      }));
      void queryClient.invalidateQueries({ queryKey: ['content', id] });
    } else if (data !== null) {
      apply(id, () => data as Content);
    }
    expirePages(['feed']);
    expirePages(['contents']);
  });
}
