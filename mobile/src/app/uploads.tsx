import { UploadsScreen } from '@/features/uploads/UploadsScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  return (
    <Screen name="uploads">
      <UploadsScreen />
    </Screen>
  );
}
