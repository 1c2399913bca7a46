import { AccountScreen } from '@/features/account/AccountScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  return (
    <Screen name="account">
      <AccountScreen />
    </Screen>
  );
}
