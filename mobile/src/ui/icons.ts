// Generated from assets/icons by `npm run icons`.
export const ICONS = {
  account: 'M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8M4 20c0-4 4-6 8-6s8 2 8 6Z',
  create: 'M11 4h2v7h7v2h-7v7h-2v-7H4v-2h7Z',
  feed: 'M4 5h16v2H4Zm0 6h16v2H4Zm0 6h10v2H4Z',
  heart: 'M12 20.5c-8-6-9.5-9.5-9.5-12.3 0-2.6 2-4.4 4.4-4.4 2.1 0 3.9 1.2 5.1 3 1.2-1.8 3-3 5.1-3 2.4 0 4.4 1.8 4.4 4.4 0 2.8-1.5 6.3-9.5 12.3',
  library: 'M4 4h7v7H4Zm9 0h7v7h-7Zm-9 9h7v7H4Zm9 0h7v7h-7Z',
  upload: 'M11 16V8l-3 3-1.414-1.414L12 4.172l5.414 5.414L16 11l-3-3v8Zm-6 2h14v2H5Z',
} as const;
