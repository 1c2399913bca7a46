/**
 * Report what the chunks of a web build are made of, from its source maps: minified bytes by package and by module.
 * Usage: node scripts/modules.mjs DIRECTORY [CHUNK]; DIRECTORY is an export with `--source-maps` (`npm run modules`).
 * Writes DIRECTORY/modules.json and prints the packages of the chunks whose name starts with CHUNK (all without it).
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const [folder, wanted = ''] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node scripts/modules.mjs DIRECTORY [CHUNK]');
  process.exit(2);
}
const DIGITS = new Map([...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((c, i) => [c, i]));

function files(path) {
  return readdirSync(path).flatMap((name) => {
    const each = join(path, name);
    return statSync(each).isDirectory() ? files(each) : [each];
  });
}

/** Numbers of one segment of a source map (base 64 VLQ). */
function decode(segment) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (const character of segment) {
    const digit = DIGITS.get(character);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}

/** Bytes of the generated code by source: each segment reaches to the next one, or to the end of its line. */
function bytesBySource(code, map) {
  const bytes = new Map();
  const lines = code.split('\n');
  let source = 0;
  for (const [i, line] of map.mappings.split(';').entries()) {
    let column = 0;
    let previous = null;
    const add = (end) => {
      if (previous !== null) bytes.set(previous.source, (bytes.get(previous.source) ?? 0) + end - previous.column);
    };
    for (const segment of line === '' ? [] : line.split(',')) {
      const [columns, sources] = decode(segment);
      column += columns;
      add(column);
      if (sources !== undefined) source += sources;
      previous = { source: map.sources[source], column };
    }
    add(lines[i]?.length ?? 0);
  }
  return bytes;
}

/** `node_modules/a/b.js` is of package `a`; the rest is the app's. */
function packageOf(source) {
  const path = source.split('/node_modules/').pop();
  if (path === source) return 'the app';
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
}

const report = {};
const packages = new Map();
for (const path of files(folder).filter((each) => each.endsWith('.js'))) {
  const code = readFileSync(path, 'utf8');
  const chunk = basename(path).replace(/-[0-9a-f]{16,}\.js$/, '');
  let map;
  try {
    map = JSON.parse(readFileSync(`${path}.map`, 'utf8'));
  } catch {
    continue;
  }
  const modules = [...bytesBySource(code, map)].sort((a, b) => b[1] - a[1]);
  report[chunk] = Object.fromEntries(modules);
  if (!chunk.startsWith(wanted)) continue;
  for (const [source, bytes] of modules) {
    packages.set(packageOf(source), (packages.get(packageOf(source)) ?? 0) + bytes);
  }
}
writeFileSync(join(folder, 'modules.json'), `${JSON.stringify(report, null, 2)}\n`);
const sorted = [...packages].sort((a, b) => b[1] - a[1]);
const total = sorted.reduce((sum, [, bytes]) => sum + bytes, 0);
console.log(`| package | kB (minified) | share |\n| --- | --- | --- |`);
for (const [name, bytes] of sorted.slice(0, 30)) {
  console.log(`| ${name} | ${(bytes / 1000).toFixed(1)} | ${((100 * bytes) / total).toFixed(1)} % |`);
}
