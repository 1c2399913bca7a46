import { api, conditional, ifNoneMatch, unwrap, type Schemas } from '@/api/client';
import { cachedPages, cachedQuery, queryClient } from '@/data';
import { randomUUID } from 'expo-crypto';

export type Order = Schemas['Order'];
export type Product = Schemas['OfferedProduct'];

export const productsQuery = cachedQuery<Schemas['Catalog']>(['products'], (etag) =>
  conditional(api.GET('/v1/products', { headers: ifNoneMatch(etag) })),
);

export const ordersQuery = cachedPages<Order>(['orders'], (cursor, etag) =>
  conditional(
    api.GET('/v1/orders', {
      params: { query: { limit: 20, ...(cursor === null ? {} : { cursor }) } },
      headers: ifNoneMatch(etag),
    }),
  ),
);

/** Idempotency keys of orders without a response yet: a second press repeats the order instead of adding one. */
const keys = new Map<string, string>();

/** Buy a plan. Not queued without a connection: a price is paid when the user presses the button, or not at all. */
export async function placeOrder(product: Product['product']): Promise<Order> {
  const key = keys.get(product) ?? randomUUID();
  keys.set(product, key);
  try {
    const order = await unwrap(
      api.POST('/v1/orders', { params: { header: { 'Idempotency-Key': key } }, body: { product } }),
    );
    keys.delete(product);
    return order;
  } catch (error) {
    if (error instanceof Error && error.name === 'ApiError') keys.delete(product);
    throw error;
  } finally {
    void queryClient.invalidateQueries({ queryKey: ['orders'] });
    void queryClient.invalidateQueries({ queryKey: ['account'] });
  }
}
