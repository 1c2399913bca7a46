import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { memo, useEffect } from 'react';
import { PixelRatio, StyleSheet, View, useWindowDimensions } from 'react-native';

import { RequireSession } from '@/features/auth/RequireSession';
import { chooseVariant, deleteUpload, upload, uploadsQuery, type Media } from '@/features/uploads/queries';
import { useOnline } from '@/hooks';
import { interactive } from '@/performance/measure';
import { formatBytes, texts } from '@/texts';
import { Body, Button, Card, ErrorMessage, Heading, Loading, Notice } from '@/ui/components';
import { List } from '@/ui/List';
import { Picture } from '@/ui/Picture';
import { space } from '@/ui/theme';

/** How often the state of images that are being prepared is read, in ms. */
const POLL_MS = 2_000;

export function UploadsScreen() {
  return (
    <RequireSession>
      <Uploads />
    </RequireSession>
  );
}

/** Pick, reduce and upload an image. The picker and the image code load when they are first needed. */
async function pickAndUpload(): Promise<{ before: number | null; after: number } | null> {
  const [{ launchImageLibraryAsync }, { prepare }] = await Promise.all([
    import('expo-image-picker'),
    import('@/features/uploads/prepare'),
  ]);
  const picked = await launchImageLibraryAsync({ mediaTypes: ['images'], quality: 1 });
  const asset = picked.assets?.[0];
  if (asset === undefined) return null;
  const prepared = await prepare(asset);
  await upload(prepared);
  return { before: prepared.originalBytes, after: prepared.blob.size };
}

function Uploads() {
  const uploads = useInfiniteQuery({
    ...uploadsQuery,
    refetchInterval: (query) =>
      query.state.data?.pages.some((page) => page.items.some((item) => item.state === 'processing')) ? POLL_MS : false,
  });
  const settled = !uploads.isPending;
  useEffect(() => {
    if (settled) interactive('uploads');
  }, [settled]);
  if (!settled) return <Loading />;
  return (
    <List
      items={uploads.data?.pages.flatMap((page) => page.items) ?? []}
      row={UploadRow}
      header={<UploadHeader />}
      empty={
        uploads.isError ? (
          <ErrorMessage error={uploads.error} onRetry={() => void uploads.refetch()} />
        ) : (
          <Body muted>{texts.uploads.empty}</Body>
        )
      }
      refreshing={false}
      onRefresh={() => void uploads.refetch()}
      onEnd={() => {
        if (uploads.hasNextPage && !uploads.isFetching) void uploads.fetchNextPage();
      }}
    />
  );
}

function UploadHeader() {
  const online = useOnline();
  const add = useMutation({ mutationFn: pickAndUpload });
  const before = add.data?.before ?? 0;
  const saved = add.data && before > add.data.after ? { before, after: add.data.after } : null;
  return (
    <View style={styles.header}>
      <Heading>{texts.uploads.title}</Heading>
      {!online && <Notice>{texts.uploads.needsConnection}</Notice>}
      <ErrorMessage error={add.error} />
      {saved && <Notice>{texts.uploads.saved(formatBytes(saved.before), formatBytes(saved.after))}</Notice>}
      <Button
        icon="upload"
        label={texts.actions.upload}
        busy={add.isPending}
        disabled={!online}
        onPress={() => add.mutate()}
      />
    </View>
  );
}

const UploadRow = memo(function UploadRow({ item }: { item: Media }) {
  const { width } = useWindowDimensions();
  const remove = useMutation({ mutationFn: () => deleteUpload(item.id) });
  const variant = chooseVariant(item.variants, PixelRatio.getPixelSizeForLayoutSize(Math.min(width, 720)));
  return (
    <View role="article">
      <Card>
        {variant && (
          <Picture
            id={`${item.id}-${variant.width}`}
            path={variant.url}
            label={texts.uploads.image}
            aspect={item.width / item.height}
          />
        )}
        <Body muted>{`${texts.uploads.states[item.state]} · ${item.width} × ${item.height}`}</Body>
        {item.reason ? <Body>{item.reason}</Body> : null}
        <ErrorMessage error={remove.error} />
        <Button kind="danger" label={texts.actions.delete} busy={remove.isPending} onPress={() => remove.mutate()} />
      </Card>
    </View>
  );
});

const styles = StyleSheet.create({ header: { gap: space.m, paddingBottom: space.m } });
