import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';

import { accountQuery } from '@/features/account/queries';
import { RequireSession } from '@/features/auth/RequireSession';
import { ordersQuery, placeOrder, productsQuery } from '@/features/orders/queries';
import { useOnline } from '@/hooks';
import { formatDate, formatMoney, texts } from '@/texts';
import { Body, Button, Card, ErrorMessage, Heading, Loading, Notice, Page } from '@/ui/components';

export function OrdersScreen() {
  return (
    <RequireSession>
      <Orders />
    </RequireSession>
  );
}

function Orders() {
  const account = useQuery(accountQuery);
  const products = useQuery(productsQuery);
  const orders = useInfiniteQuery(ordersQuery);
  const online = useOnline();
  const buy = useMutation({ mutationFn: placeOrder });
  if (products.isPending || orders.isPending) return <Loading />;
  const placed = orders.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page title={texts.orders.title}>
      {account.data && <Body>{`${texts.account.balance}: ${formatMoney(account.data.balance)}`}</Body>}
      {!online && <Notice>{texts.orders.needsConnection}</Notice>}
      {buy.data && <Notice>{texts.orders.bought(buy.data.plan)}</Notice>}
      <ErrorMessage error={buy.error ?? products.error} />
      <Heading level={2}>{texts.orders.products}</Heading>
      {products.data?.items.map((product) => (
        <Card key={product.product}>
          <Body>{`${product.plan} · ${texts.orders.days(product.days)}`}</Body>
          <Button
            kind="secondary"
            label={`${texts.actions.buy} · ${formatMoney(product.price, product.currency)}`}
            busy={buy.isPending && buy.variables === product.product}
            disabled={!online || buy.isPending}
            onPress={() => buy.mutate(product.product)}
          />
        </Card>
      ))}
      <Heading level={2}>{texts.orders.list}</Heading>
      {placed.length === 0 && <Body muted>{texts.orders.empty}</Body>}
      {placed.map((order) => (
        <Card key={order.id}>
          <Body>{`${order.plan} · ${formatMoney(order.price, order.currency)}`}</Body>
          <Body muted>{formatDate(order.placed_at)}</Body>
        </Card>
      ))}
      {orders.hasNextPage && (
        <Button
          kind="secondary"
          label={texts.more}
          busy={orders.isFetchingNextPage}
          onPress={() => void orders.fetchNextPage()}
        />
      )}
    </Page>
  );
}
