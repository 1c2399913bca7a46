import { Link } from 'expo-router';
import { memo, useEffect } from 'react';
import { Pressable, StyleSheet, Text, View } from 'react-native';

import type { FeedItem } from '@/features/feed/queries';
import { countRow } from '@/performance/measure';
import { toggleLike, usePreference } from '@/preferences';
import { texts } from '@/texts';
import { Icon } from '@/ui/Icon';
import { Picture } from '@/ui/Picture';
import { space, useColors } from '@/ui/theme';

/** Compared by its item: a list that changes renders the rows that changed. */
export const FeedRow = memo(function FeedRow({ item }: { item: FeedItem }) {
  const colors = useColors();
  const liked = usePreference((preferences) => preferences.liked.includes(item.id));
  useEffect(() => countRow('feed', item.id));
  return (
    <View role="article" style={[styles.row, { backgroundColor: colors.surface }]}>
      <Link href={`/item/${item.id}`} asChild>
        <Pressable role="link" style={styles.link}>
          <Picture id={item.id} path={item.image} label={texts.feed.image(item.author.name)} />
          <Text style={[styles.author, { color: colors.muted }]}>{texts.feed.by(item.author.name)}</Text>
          <Text numberOfLines={4} style={[styles.text, { color: colors.text }]}>
            {item.text}
          </Text>
        </Pressable>
      </Link>
      <Pressable
        role="button"
        aria-label={liked ? texts.feed.liked : texts.feed.like}
        aria-pressed={liked}
        hitSlop={8}
        onPress={() => toggleLike(item.id)}
        style={styles.like}
      >
        <Icon name="heart" color={liked ? colors.accent : colors.muted} />
      </Pressable>
    </View>
  );
});

const styles = StyleSheet.create({
  row: { borderRadius: 16, padding: space.m, gap: space.s },
  link: { gap: space.s },
  author: { fontSize: 14 },
  text: { fontSize: 16, lineHeight: 24 },
  like: { minWidth: 44, minHeight: 44, justifyContent: 'center' },
});
