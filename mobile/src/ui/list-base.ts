/** The list component; list-base.plain.ts takes its place in the plain version (metro.config.js). */
export { FlashList as ListBase } from '@shopify/flash-list';
