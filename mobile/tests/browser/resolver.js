/** Resolve modules as the web build does: ES modules first, the replacements of web/ in their place. */
const { join, sep } = require('node:path');

const REPLACEMENTS = require('../../web/replacements');

module.exports = (request, options) => {
  const packageFilter = (manifest) => ({
    ...manifest,
    main: (typeof manifest.browser === 'string' && manifest.browser) || manifest.module || manifest.main,
  });
  const found = options.defaultResolver(request, { ...options, packageFilter });
  const [, module] = found.split(new RegExp(`^.*\\${sep}node_modules\\${sep}`));
  const replacement = REPLACEMENTS[module?.replaceAll(sep, '/').replace(/(\.web)?\.[jt]sx?$/, '')];
  return replacement === undefined ? found : join(__dirname, '..', '..', 'web', replacement);
};
