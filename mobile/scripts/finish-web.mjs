/**
 * Finish an export of the web build: list the files in the service worker, preload the chunks of the first route,
 * compress. Usage: node scripts/finish-web.mjs DIRECTORY
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync, constants } from 'node:zlib';

const root = process.argv[2];
if (!root) {
  console.error('usage: node scripts/finish-web.mjs DIRECTORY');
  process.exit(2);
}
const COMPRESSED = /\.(js|html|css|json|svg|ico)$/;

function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

const scripts = files(root).filter((path) => /_expo\/static\/(js|css)\//.test(path) && /\.(js|css)$/.test(path));
const urls = scripts.map((path) => `/app/${relative(root, path)}`).sort();

const index = join(root, 'index.html');
const first = urls.filter((url) => /\/(__common|_layout|index)-[0-9a-f]+\.js$/.test(url));
const html = readFileSync(index, 'utf8');
const links = first
  .filter((url) => !html.includes(url))
  .map((url) => `<link rel="preload" href="${url}" as="script">`)
  .join('');
writeFileSync(index, html.replace('</head>', `${links}</head>`));

const build = createHash('sha256');
for (const path of [index, ...scripts]) build.update(readFileSync(path));
const worker = join(root, 'sw.js');
writeFileSync(
  worker,
  readFileSync(worker, 'utf8')
    .replace('%BUILD%', build.digest('hex').slice(0, 12))
    .replace('/* %FILES% */ []', JSON.stringify(urls)),
);

for (const path of files(root)) {
  if (COMPRESSED.test(path))
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
}
