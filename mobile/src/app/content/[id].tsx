import { useLocalSearchParams } from 'expo-router';

import { ContentScreen } from '@/features/content/ContentScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  const { id } = useLocalSearchParams<{ id: string }>();
  return (
    <Screen name="content">
      <ContentScreen id={id} />
    </Screen>
  );
}
