import { CreateScreen } from '@/features/content/CreateScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  return (
    <Screen name="create">
      <CreateScreen />
    </Screen>
  );
}
