import { FeedScreen } from '@/features/feed/FeedScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  return (
    <Screen name="feed">
      <FeedScreen />
    </Screen>
  );
}
