/** A list in pages that loads the next one near its end. */
import type { ComponentType, ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';

import { ListBase } from '@/ui/list-base';
import { space, useColors } from '@/ui/theme';

interface ListProps<T> {
  items: T[];
  row: ComponentType<{ item: T }>;
  header?: ReactElement | undefined;
  empty?: ReactElement | undefined;
  footer?: ReactElement | undefined;
  refreshing: boolean;
  onRefresh: () => void;
  onEnd: () => void;
}

export function List<T extends { id: string }>({ row: Row, items, header, empty, footer, ...rest }: ListProps<T>) {
  const colors = useColors();
  const renderItem = ({ item }: { item: T }) => <Row item={item} />;
  return (
    <View style={[styles.fill, { backgroundColor: colors.background }]}>
      <ListBase<T>
        data={items}
        renderItem={renderItem}
        keyExtractor={keyOf}
        ListHeaderComponent={header}
        ListEmptyComponent={empty}
        ListFooterComponent={footer}
        ItemSeparatorComponent={Separator}
        contentContainerStyle={styles.content}
        refreshing={rest.refreshing}
        onRefresh={rest.onRefresh}
        onEndReached={rest.onEnd}
        onEndReachedThreshold={0.5}
      />
    </View>
  );
}

function keyOf(item: { id: string }): string {
  return item.id;
}

function Separator() {
  return <View style={styles.separator} />;
}

const styles = StyleSheet.create({
  fill: { flex: 1 },
  content: { padding: space.m },
  separator: { height: space.m },
});
