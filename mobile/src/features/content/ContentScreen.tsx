import { useMutation, useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';

import { RequireSession } from '@/features/auth/RequireSession';
import { useProgress } from '@/features/content/progress';
import { contentQuery, type Content } from '@/features/content/queries';
import { setPublished } from '@/features/content/writes';
import { interactive } from '@/performance/measure';
import { texts } from '@/texts';
import { Body, Button, ErrorMessage, Loading, Notice, Page } from '@/ui/components';
import { Picture } from '@/ui/Picture';

export function ContentScreen({ id }: { id: string }) {
  return (
    <RequireSession>
      <Piece id={id} />
    </RequireSession>
  );
}

function Piece({ id }: { id: string }) {
  const query = useQuery(contentQuery(id));
  const progress = useProgress(query.data);
  const shown = query.data !== undefined;
  useEffect(() => {
    if (shown) interactive('content');
  }, [shown]);
  if (query.data === undefined) {
    return query.isError ? (
      <Page title={texts.tabs.library}>
        <ErrorMessage error={query.error} onRetry={() => void query.refetch()} />
      </Page>
    ) : (
      <Loading />
    );
  }
  const content = query.data;
  return (
    <Page title={texts.create.forms[content.form]}>
      <Body muted>{content.prompt}</Body>
      {content.state === 'queued' && (
        <>
          <Notice>{texts.create.progress}</Notice>
          <Body>{progress.text}</Body>
          <ErrorMessage error={progress.error} onRetry={() => void query.refetch()} />
        </>
      )}
      {content.state === 'failed' && <Notice>{`${texts.create.failed}. ${content.reason ?? ''}`}</Notice>}
      {content.state === 'ready' && <Ready content={content} />}
    </Page>
  );
}

function Ready({ content }: { content: Content }) {
  const published = content.published_at !== null && content.published_at !== undefined;
  const publish = useMutation({ mutationFn: () => setPublished(content, !published) });
  return (
    <>
      {content.image && <Picture id={`own-${content.id}`} path={content.image} label={content.prompt} own />}
      <Body>{content.text ?? ''}</Body>
      <ErrorMessage error={publish.error} />
      <Button
        kind={published ? 'secondary' : 'primary'}
        label={published ? texts.actions.withdraw : texts.actions.publish}
        busy={publish.isPending}
        onPress={() => publish.mutate()}
      />
    </>
  );
}
