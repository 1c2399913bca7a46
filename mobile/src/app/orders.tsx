import { OrdersScreen } from '@/features/orders/OrdersScreen';
import { Screen } from '@/performance/Screen';

export default function Route() {
  return (
    <Screen name="orders">
      <OrdersScreen />
    </Screen>
  );
}
