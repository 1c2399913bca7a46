/**
 * Compare the builds with budgets.json: shared code and each route of the web build (gzip), Hermes bytecode of the
 * Android build, no console calls and no development code. Writes dist/modules.json, the report of chunks; prints a
 * table; exits with 1 where a budget is exceeded. A build that is absent is skipped with a message.
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
const budgets = JSON.parse(readFileSync(join(root, 'budgets.json'), 'utf8'));
const failures = [];

function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

/** Chunks that every start loads; the others belong to routes or to lazy code. */
const SHARED = /^(__common|__expo-metro-runtime|entry|first-paint)-/;

/** Chunks of the web build, the largest first. */
export function webChunks(folder) {
  return files(folder)
    .filter((path) => /_expo\/static\/js\/web\/.+\.js$/.test(path))
    .map((path) => {
      const name = basename(path);
      const code = readFileSync(path);
      return {
        name: name.replace(/-[0-9a-f]{16,}\.js$/, ''),
        file: name,
        shared: SHARED.test(name),
        bytes: code.length,
        gzip: gzipSync(code, { level: 9 }).length,
      };
    })
    .sort((a, b) => b.gzip - a.gzip);
}

export function bytecode(folder) {
  const found = files(folder).filter((path) => path.endsWith('.hbc'));
  return found.map((path) => statSync(path).size).reduce((a, b) => a + b, 0);
}

function limit(what, actual, budget) {
  const verdict = actual <= budget ? 'ok' : 'EXCEEDED';
  if (actual > budget) failures.push(`${what}: ${actual} bytes, the budget is ${budget}`);
  return `| ${what} | ${(actual / 1000).toFixed(1)} kB | ${(budget / 1000).toFixed(0)} kB | ${verdict} |`;
}

function clean(path) {
  const code = readFileSync(path, 'utf8');
  // `console.` in a string of a library is not a call.
  if (/\bconsole\.(log|warn|error|info|debug)\(/.test(code)) failures.push(`${basename(path)}: calls the console`);
  if (/__DEV__\s*=\s*(!0|true)|react-refresh|HMRClient\.setup/.test(code))
    failures.push(`${basename(path)}: has development code`);
}

const report = {};
const rows = ['| what | size | budget | |', '| --- | --- | --- | --- |'];
const web = join(root, 'dist', 'web');
const android = join(root, 'dist', 'android');
if (existsSync(join(web, 'index.html'))) {
  report.web = webChunks(web);
  const shared = report.web.filter((chunk) => chunk.shared).reduce((sum, chunk) => sum + chunk.gzip, 0);
  rows.push(limit('web: shared code (gzip)', shared, budgets.web.shared));
  for (const chunk of report.web.filter((each) => !each.shared)) {
    rows.push(limit(`web: ${chunk.name} (gzip)`, chunk.gzip, budgets.web.route));
  }
  for (const path of files(web).filter((each) => /_expo\/static\/js\/web\/.+\.js$/.test(each))) clean(path);
} else console.log('no web build (npm run build:web): its budgets are not checked');
if (existsSync(android)) {
  report.android = { bytecode: bytecode(android) };
  rows.push(limit('Android: Hermes bytecode', report.android.bytecode, budgets.android.bytecode));
} else console.log('no Android build (npm run build:android): its budget is not checked');

if (Object.keys(report).length > 0) {
  console.log(rows.join('\n'));
  writeFileSync(join(root, 'dist', 'modules.json'), `${JSON.stringify(report, null, 2)}\n`);
}
for (const failure of failures) console.error(failure);
process.exit(failures.length > 0 ? 1 : 0);
