const { defineConfig } = require('eslint/config');
const expo = require('eslint-config-expo/flat');
const globals = require('globals');

module.exports = defineConfig([
  expo,
  { ignores: ['dist/*', 'node_modules/*', 'src/api/schema.ts', '.expo/*'] },
  {
    rules: {
      'no-console': 'error',
      eqeqeq: ['error', 'always'],
      'prefer-const': 'error',
      'no-restricted-globals': ['error', { name: 'alert', message: 'Show a Notice in place of alert().' }],
    },
  },
  {
    files: ['scripts/**', 'e2e/**', 'tests/browser/*.js'],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: { 'no-console': 'off' },
  },
]);
