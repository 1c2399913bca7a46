import { TabList, TabSlot, TabTrigger, Tabs } from 'expo-router/ui';
import type { ReactNode, Ref } from 'react';
import { Pressable, StyleSheet, Text, type PressableProps, type View } from 'react-native';
import { useSafeAreaInsets } from 'react-native-safe-area-context';

import { texts } from '@/texts';
import { Icon, type IconName } from '@/ui/Icon';
import { useColors } from '@/ui/theme';

const TABS: readonly { name: IconName & keyof typeof texts.tabs; href: '/' | '/create' | '/library' | '/account' }[] = [
  { name: 'feed', href: '/' },
  { name: 'create', href: '/create' },
  { name: 'library', href: '/library' },
  { name: 'account', href: '/account' },
];

export default function TabsLayout() {
  const colors = useColors();
  const insets = useSafeAreaInsets();
  const style = { backgroundColor: colors.background, borderColor: colors.border, paddingBottom: insets.bottom };
  return (
    <Tabs style={{ flex: 1, backgroundColor: colors.background }}>
      <TabSlot style={{ flexShrink: 1, minHeight: 0 }} />
      <TabList role="tablist" style={[styles.list, style]}>
        {TABS.map(({ name, href }) => (
          <TabTrigger key={name} name={name} href={href} asChild>
            <TabButton icon={name}>{texts.tabs[name]}</TabButton>
          </TabTrigger>
        ))}
      </TabList>
    </Tabs>
  );
}

interface TabButtonProps extends PressableProps {
  icon: IconName;
  isFocused?: boolean;
  children: ReactNode;
  ref?: Ref<View>;
}

function TabButton({ icon, isFocused = false, children, ref, ...props }: TabButtonProps) {
  const colors = useColors();
  const color = isFocused ? colors.accent : colors.muted;
  return (
    <Pressable {...props} ref={ref ?? null} role="tab" aria-selected={isFocused} style={styles.tab}>
      <Icon name={icon} color={color} />
      <Text style={[styles.label, { color }]}>{children}</Text>
    </Pressable>
  );
}

const styles = StyleSheet.create({
  list: { flexDirection: 'row', borderTopWidth: StyleSheet.hairlineWidth },
  tab: { flex: 1, minHeight: 56, alignItems: 'center', justifyContent: 'center', gap: 2 },
  label: { fontSize: 12 },
});
