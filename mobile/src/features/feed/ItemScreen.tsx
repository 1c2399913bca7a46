import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';

import { feedItemQuery } from '@/features/feed/queries';
import { record } from '@/performance/events';
import { interactive } from '@/performance/measure';
import { formatDate, texts } from '@/texts';
import { Body, ErrorMessage, Loading, Page } from '@/ui/components';
import { Picture } from '@/ui/Picture';

export function ItemScreen({ id }: { id: string }) {
  const item = useQuery(feedItemQuery(id));
  const shown = item.data !== undefined;
  useEffect(() => {
    if (!shown) return;
    interactive('item');
    record('content.viewed', { content: id });
  }, [shown, id]);
  if (item.data === undefined) {
    return item.isError ? (
      <Page title={texts.tabs.feed}>
        <ErrorMessage error={item.error} onRetry={() => void item.refetch()} />
      </Page>
    ) : (
      <Loading />
    );
  }
  const { author, image, text, published_at, form } = item.data;
  return (
    <Page title={texts.create.forms[form]}>
      <Picture id={id} path={image} label={texts.feed.image(author.name)} />
      <Body muted>{`${texts.feed.by(author.name)} · ${formatDate(published_at)}`}</Body>
      <Body>{text}</Body>
    </Page>
  );
}
