/**
 * Settings and styles of public/first-paint.js, from the app's own sources: texts, icons, colors, version of the cache.
 */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { ModuleKind, transpileModule } = require('typescript');

const ROOT = join(__dirname, '..');
const NAME = '{name}';

/** Exports of a TypeScript module of src/ that imports nothing. */
function exportsOf(path) {
  const source = readFileSync(join(ROOT, 'src', path), 'utf8');
  const { outputText } = transpileModule(source, {
    compilerOptions: { module: ModuleKind.CommonJS, target: 'ES2022' },
  });
  const exported = {};
  new Function('exports', outputText)(exported);
  return exported;
}

function constant(path, name) {
  const [, value] = readFileSync(join(ROOT, 'src', path), 'utf8').match(
    new RegExp(`export const ${name} = ([\\d_]+);`),
  );
  return Number(value.replaceAll('_', ''));
}

/**
 * The content of SETTINGS in public/first-paint.js. `scripts` are the app's own, in order, the first of them
 * Metro's runtime; `chunks`
 * are those of the feed.
 */
function settings(scripts, chunks, environment = process.env) {
  const { LANGUAGES } = exportsOf('texts.ts');
  const { ICONS } = exportsOf('ui/icons.ts');
  const texts = Object.entries(LANGUAGES).map(([language, { tabs, feed, offline }]) => [
    language,
    { tabs, offline, by: feed.by(NAME), image: feed.image(NAME) },
  ]);
  return {
    scripts,
    // With its chunks run before the app renders, React shows no loading state, which it would not replace for 300 ms.
    feedScripts: scripts.toSpliced(1, 0, ...chunks),
    base: '/app',
    api: (environment.EXPO_PUBLIC_API_URL ?? '').replace(/\/$/, ''),
    // A request with App Check needs a token, which only the app obtains.
    early: !environment.EXPO_PUBLIC_FIREBASE_APP,
    timeoutMs: constant('api/transport.ts', 'TIMEOUT_MS'),
    version: constant('cache/rows.ts', 'SCHEMA_VERSION'),
    tabs: [
      ['feed', '/'],
      ['create', '/create'],
      ['library', '/library'],
      ['account', '/account'],
    ],
    icons: { ...ICONS, upload: undefined },
    texts: Object.fromEntries(texts),
  };
}

/** The script with its settings. */
function script(scripts, chunks, environment) {
  const source = readFileSync(join(ROOT, 'public', 'first-paint.js'), 'utf8');
  const code = JSON.stringify(settings(scripts, chunks, environment)).replaceAll('$', '$$$$');
  return source.replace('/* %SETTINGS% */ null', code);
}

/** Its styles: those of FeedScreen, FeedRow and the tab bar as react-native-web renders them. */
function styles() {
  const { dark, light } = exportsOf('ui/colors.ts');
  const variables = (colors) =>
    Object.entries(colors)
      .map(([name, value]) => `--${name}:${value};`)
      .join('');
  return `#first-paint { ${variables(light)} }
      @media (prefers-color-scheme: dark) { #first-paint { ${variables(dark)} } }
      ${readFileSync(join(ROOT, 'web', 'first-paint.css'), 'utf8')
        .replace(/\/\*[^]*?\*\//g, '')
        .replace(/\s+/g, ' ')
        .trim()}`;
}

module.exports = { script, settings, styles };
