/** Shown while the chunk of a route loads. */
export { Loading as SuspenseFallback } from '../src/ui/components';
