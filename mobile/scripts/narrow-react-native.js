/**
 * Babel plugin for the web build: a CommonJS `const x = require('react-native')` whose uses are all `x.Name` requires
 * the modules of react-native-web that it uses. babel-plugin-react-native-web does this for ES imports only; a single
 * such require adds all of react-native-web.
 */
const { existsSync } = require('node:fs');
const { dirname, join } = require('node:path');

const EXPORTS = join(dirname(require.resolve('react-native-web/package.json')), 'dist', 'exports');

module.exports = function narrowReactNative({ types }) {
  const required = (name) =>
    types.callExpression(types.identifier('require'), [types.stringLiteral(`react-native-web/dist/exports/${name}`)]);
  return {
    name: 'narrow-react-native',
    visitor: {
      Program(program) {
        program.traverse({
          VariableDeclarator(path) {
            const { id, init } = path.node;
            if (!types.isIdentifier(id) || !types.isCallExpression(init)) return;
            if (!types.isIdentifier(init.callee, { name: 'require' })) return;
            if (!types.isStringLiteral(init.arguments[0], { value: 'react-native' })) return;
            const { referencePaths, constantViolations } = path.scope.getBinding(id.name);
            const members = referencePaths.map((reference) => reference.parentPath);
            const narrow = members.every(
              (member, i) =>
                member.isMemberExpression({ computed: false }) &&
                member.node.object === referencePaths[i].node &&
                existsSync(join(EXPORTS, member.node.property.name)),
            );
            if (!narrow || constantViolations.length > 0) return;
            const locals = new Map();
            for (const member of members) {
              const { name } = member.node.property;
              if (!locals.has(name)) locals.set(name, path.scope.generateUidIdentifier(name));
              member.replaceWith(types.memberExpression(locals.get(name), types.identifier('default')));
            }
            const declarations = [...locals].map(([name, local]) => types.variableDeclarator(local, required(name)));
            if (declarations.length > 0) path.replaceWithMultiple(declarations);
            else path.node.init = types.objectExpression([]);
          },
        });
        program.scope.crawl();
      },
    },
  };
};
