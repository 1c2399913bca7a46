/**
 * Finish an export of the web build: start it by first-paint.js, preload the scripts of the first route, list the files
 * in the service worker, compress. Usage: node scripts/finish-web.mjs DIRECTORY [--plain]
 *
 * With --plain the export's own script elements start the app: the plain version displays nothing before the app.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { brotliCompressSync, gzipSync, constants } from 'node:zlib';

import firstPaint from './first-paint.js';

const [root, mode] = process.argv.slice(2);
if (!root) {
  console.error('usage: node scripts/finish-web.mjs DIRECTORY [--plain]');
  process.exit(2);
}
const COMPRESSED = /\.(js|html|css|json|svg|ico)$/;
const SCRIPT = /<script src="([^"]+)"[^>]*><\/script>/g;

function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

const hash = (data) => createHash('sha256').update(data).digest('hex').slice(0, 32);

function built() {
  return files(root).filter((path) => /_expo\/static\/(js|css)\//.test(path) && /\.(js|css)$/.test(path));
}

const urlOf = (path) => `/app/${relative(root, path)}`;
const preload = (url) => `<link rel="preload" href="${url}" as="script">`;

const index = join(root, 'index.html');
let html = readFileSync(index, 'utf8');
const scripts = [...html.matchAll(SCRIPT)].map(([, url]) => url);
const chunks = built()
  .map(urlOf)
  .filter((url) => /\/(__common|_layout|index)-[0-9a-f]+\.js$/.test(url) && !scripts.includes(url))
  .sort();
let links = chunks.map(preload).join('');
if (mode !== '--plain') {
  const code = firstPaint.script(scripts, chunks);
  const name = `_expo/static/js/web/first-paint-${hash(code)}.js`;
  writeFileSync(join(root, name), code);
  // Deferred: it needs the document's elements. It runs the app's scripts, which load meanwhile.
  links = `<script src="/app/${name}" defer></script>${scripts.map(preload).join('')}${links}`;
  html = html.replace(SCRIPT, '').replace('</style>', `  ${firstPaint.styles()}\n    </style>`);
}
writeFileSync(index, html.replace('</head>', `${links}</head>`));
rmSync(join(root, 'first-paint.js'), { force: true });

const build = createHash('sha256');
for (const path of [index, ...built()]) build.update(readFileSync(path));
const worker = join(root, 'sw.js');
writeFileSync(
  worker,
  readFileSync(worker, 'utf8')
    .replace('%BUILD%', build.digest('hex').slice(0, 12))
    .replace('/* %FILES% */ []', JSON.stringify(built().map(urlOf).sort())),
);

for (const path of files(root).filter((each) => COMPRESSED.test(each))) {
  const data = readFileSync(path);
  writeFileSync(`${path}.gz`, gzipSync(data, { level: constants.Z_BEST_COMPRESSION }));
  writeFileSync(
    `${path}.br`,
    brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: data.length } }),
  );
}
