/**
 * Optimize assets/icons/*.svg and write src/ui/icons.ts, the paths by name. With --check write nothing and exit with 1
 * where a file would change: run it before a commit.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optimize } from 'svgo';
import config from '../svgo.config.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'assets', 'icons');
const check = process.argv.includes('--check');
const stale = [];

function write(path, text) {
  if (readFileSync(path, { encoding: 'utf8', flag: 'a+' }) === text) return;
  if (check) stale.push(path.slice(root.length));
  else writeFileSync(path, text);
}

const icons = {};
for (const file of readdirSync(folder)
  .filter((name) => name.endsWith('.svg'))
  .sort()) {
  const path = join(folder, file);
  const { data } = optimize(readFileSync(path, 'utf8'), { ...config, path });
  const paths = [...data.matchAll(/<path d="([^"]+)"/g)].map((match) => match[1]);
  if (paths.length === 0 || /<(?!\/?(svg|path)\b)/.test(data)) {
    throw new Error(`${file}: an icon is made of <path> elements only`);
  }
  write(path, `${data}\n`);
  icons[file.replace('.svg', '')] = paths.join('');
}
const lines = Object.entries(icons).map(([name, path]) => `  ${name}: '${path}',`);
write(
  join(root, 'src', 'ui', 'icons.ts'),
  `// Generated from assets/icons by \`npm run icons\`.\nexport const ICONS = {\n${lines.join('\n')}\n} as const;\n`,
);
if (stale.length > 0) {
  console.error(`not optimized: ${stale.join(', ')}; run \`npm run icons\``);
  process.exit(1);
}
