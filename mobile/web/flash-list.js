/** The list without its benchmarks and its animated variant. */
export { FlashList } from '@shopify/flash-list/dist/FlashList';
