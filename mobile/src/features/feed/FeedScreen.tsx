import { useInfiniteQuery } from '@tanstack/react-query';
import { useIsFocused } from 'expo-router';
import { useEffect } from 'react';

import { FeedRow } from '@/features/feed/FeedRow';
import { feedQuery } from '@/features/feed/queries';
import { useOnline } from '@/hooks';
import { interactive } from '@/performance/measure';
import { texts } from '@/texts';
import { Body, ErrorMessage, Heading, Loading, Notice } from '@/ui/components';
import { endFirstPaint } from '@/ui/first-paint';
import { List } from '@/ui/List';

export function FeedScreen() {
  // The screen stays mounted below others: an expired feed is fetched when it is shown again.
  const feed = useInfiniteQuery({ ...feedQuery, subscribed: useIsFocused() });
  const online = useOnline();
  const items = feed.data?.pages.flatMap((page) => page.items) ?? [];
  const settled = feed.data !== undefined || feed.isError;
  useEffect(() => {
    if (!settled) return;
    endFirstPaint();
    interactive('feed');
  }, [settled]);
  if (!settled) return <Loading />;
  return (
    <List
      items={items}
      row={FeedRow}
      header={<FeedHeader offline={!online} />}
      empty={
        feed.isError ? (
          <ErrorMessage error={feed.error} onRetry={() => void feed.refetch()} />
        ) : (
          <Body muted>{texts.feed.empty}</Body>
        )
      }
      footer={feed.isFetchingNextPage ? <Loading /> : undefined}
      refreshing={feed.isRefetching}
      onRefresh={() => void feed.refetch()}
      onEnd={() => {
        if (feed.hasNextPage && !feed.isFetching) void feed.fetchNextPage();
      }}
    />
  );
}

function FeedHeader({ offline }: { offline: boolean }) {
  return (
    <>
      <Heading>{texts.tabs.feed}</Heading>
      {offline && <Notice>{texts.offline}</Notice>}
    </>
  );
}
