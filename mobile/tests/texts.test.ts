import { readFileSync } from 'fs';
import { join } from 'path';

import { texts } from '@/texts';

test('every kind of problem that the service documents has words', () => {
  const api = readFileSync(join(__dirname, '..', '..', 'docs', 'api.md'), 'utf8');
  const [, table] = api.split('## Problems');
  const slugs = [...(table ?? '').matchAll(/^\| `([a-z-]+)` \| (\d+) \|/gm)].map((match) => match[1] ?? '');
  expect(slugs.length).toBeGreaterThan(15);
  // Kinds that only a defect of the client can cause show the title that the service sends.
  const defects = /malformed|method|too-long|head-|headers|range|idempotency|not-shared|origin|in-progress|uri/;
  expect(slugs.filter((slug) => !defects.test(slug) && texts.errors.bySlug[slug] === undefined)).toEqual([]);
});
