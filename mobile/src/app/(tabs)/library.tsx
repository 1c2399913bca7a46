import { LibraryScreen } from '@/features/content/LibraryScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  return (
    <Screen name="library">
      <LibraryScreen />
    </Screen>
  );
}
