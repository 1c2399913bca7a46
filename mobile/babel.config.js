/** Remove calls of the console: production builds write nothing there. */
function removeConsole({ types }) {
  return {
    name: 'remove-console',
    visitor: {
      CallExpression(path) {
        const callee = path.get('callee');
        if (!callee.isMemberExpression() || !callee.get('object').isIdentifier({ name: 'console' })) return;
        if (path.scope.hasBinding('console')) return;
        if (path.parentPath.isExpressionStatement()) path.remove();
        else path.replaceWith(types.unaryExpression('void', types.numericLiteral(0)));
      },
    },
  };
}

module.exports = (api) => {
  const production = api.caller((caller) => caller?.isDev === false);
  const web = api.caller((caller) => caller?.platform === 'web');
  const test = process.env.NODE_ENV === 'test';
  api.cache.using(() => `${production}-${web}-${process.env.EXPO_PUBLIC_PLAIN}-${process.env.NODE_ENV}`);
  return {
    presets: ['babel-preset-expo'],
    // Metro enables the compiler in builds; Jest does not, and the tests count the renders of compiled components.
    plugins: [
      ...(test ? [['babel-plugin-react-compiler', { sources: (path) => !path.includes('node_modules') }]] : []),
      ...(production ? [removeConsole] : []),
      ...(web ? [require('./scripts/narrow-react-native')] : []),
    ],
  };
};
