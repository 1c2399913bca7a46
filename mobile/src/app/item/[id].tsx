import { useLocalSearchParams } from 'expo-router';

import { ItemScreen } from '@/features/feed/ItemScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  const { id } = useLocalSearchParams<{ id: string }>();
  return (
    <Screen name="item">
      <ItemScreen id={id} />
    </Screen>
  );
}
