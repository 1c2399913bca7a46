const { join, sep } = require('node:path');
const { getDefaultConfig } = require('expo/metro-config');

const REPLACEMENTS = require('./web/replacements');

const config = getDefaultConfig(__dirname);
const PLAIN = process.env.EXPO_PUBLIC_PLAIN === '1';
// Transformed files hold the values of EXPO_PUBLIC_*; those of the two versions must not mix.
if (PLAIN) config.cacheVersion = 'plain';

/** Path of a library's module in node_modules, without extension. */
function moduleOf(file) {
  return file
    .split(`${sep}node_modules${sep}`)
    .pop()
    .replaceAll(sep, '/')
    .replace(/(\.web)?\.[jt]sx?$/, '');
}

const resolve = config.resolver.resolveRequest;
config.resolver.resolveRequest = (context, name, platform) => {
  // The profiling build of React DOM: the production build does not call <Profiler onRender>.
  const wanted = platform === 'web' && name === 'react-dom/client' ? 'react-dom/profiling' : name;
  const found = (resolve ?? context.resolveRequest)(context, wanted, platform);
  if (found.type !== 'sourceFile') return found;
  if (PLAIN && found.filePath === join(__dirname, 'src', 'ui', 'list-base.ts')) {
    return { ...found, filePath: join(__dirname, 'src', 'ui', 'list-base.plain.ts') };
  }
  const replacement = platform === 'web' ? REPLACEMENTS[moduleOf(found.filePath)] : undefined;
  return replacement === undefined ? found : { ...found, filePath: join(__dirname, 'web', replacement) };
};

module.exports = config;
