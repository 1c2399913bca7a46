import { AuthScreen } from '@/features/auth/AuthScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  return (
    <Screen name="sign-up">
      <AuthScreen create />
    </Screen>
  );
}
