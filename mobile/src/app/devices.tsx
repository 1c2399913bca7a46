import { DevicesScreen } from '@/features/account/DevicesScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  return (
    <Screen name="devices">
      <DevicesScreen />
    </Screen>
  );
}
