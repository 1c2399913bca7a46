import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useIsFocused } from 'expo-router';
import { memo, useEffect } from 'react';
import { Pressable, StyleSheet, Text, View } from 'react-native';

import { RequireSession } from '@/features/auth/RequireSession';
import { contentsQuery, type Content } from '@/features/content/queries';
import type { NewContent } from '@/features/content/writes';
import { useOnline, usePending } from '@/hooks';
import { countRow, interactive } from '@/performance/measure';
import { formatDate, texts } from '@/texts';
import { Body, Card, ErrorMessage, Heading, Loading, Notice } from '@/ui/components';
import { List } from '@/ui/List';
import { space, useColors } from '@/ui/theme';

export function LibraryScreen() {
  return (
    <RequireSession>
      <Library />
    </RequireSession>
  );
}

function Library() {
  const contents = useInfiniteQuery({ ...contentsQuery, subscribed: useIsFocused() });
  const settled = contents.data !== undefined || contents.isError;
  useEffect(() => {
    if (settled) interactive('library');
  }, [settled]);
  if (!settled) return <Loading />;
  return (
    <List
      items={contents.data?.pages.flatMap((page) => page.items) ?? []}
      row={LibraryRow}
      header={<LibraryHeader />}
      empty={
        contents.isError ? (
          <ErrorMessage error={contents.error} onRetry={() => void contents.refetch()} />
        ) : (
          <Body muted>{texts.library.empty}</Body>
        )
      }
      refreshing={contents.isRefetching}
      onRefresh={() => void contents.refetch()}
      onEnd={() => {
        if (contents.hasNextPage && !contents.isFetching) void contents.fetchNextPage();
      }}
    />
  );
}

/** The title, the state of the connection, and the writes that wait to be sent. */
function LibraryHeader() {
  const waiting = usePending().filter((write) => write.kind === 'create');
  const online = useOnline();
  return (
    <>
      <Heading>{texts.tabs.library}</Heading>
      {!online && <Notice>{texts.offline}</Notice>}
      {waiting.map((write) => (
        <Card key={write.id}>
          <Body>{(write.body as NewContent).prompt}</Body>
          <Body muted>{texts.library.waiting}</Body>
        </Card>
      ))}
    </>
  );
}

export const LibraryRow = memo(function LibraryRow({ item }: { item: Content }) {
  const colors = useColors();
  const published = item.published_at !== null && item.published_at !== undefined;
  useEffect(() => countRow('library', item.id));
  const state =
    item.state === 'ready'
      ? published
        ? texts.library.published
        : texts.library.private
      : texts.library.states[item.state];
  return (
    <View role="article">
      <Link href={`/content/${item.id}`} asChild>
        <Pressable role="link" style={StyleSheet.flatten([styles.row, { backgroundColor: colors.surface }])}>
          <Text numberOfLines={2} style={[styles.prompt, { color: colors.text }]}>
            {item.prompt}
          </Text>
          <Text style={{ color: colors.muted }}>{`${state} · ${formatDate(item.created_at)}`}</Text>
        </Pressable>
      </Link>
    </View>
  );
});

const styles = StyleSheet.create({
  row: { borderRadius: 16, padding: space.m, gap: 4 },
  prompt: { fontSize: 16 },
});
