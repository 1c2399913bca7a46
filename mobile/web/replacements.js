/**
 * Modules of libraries that the web build replaces: path in node_modules without extension, and the file in this
 * folder. Each replaced module adds code that the app does not use (headers and toolbars of native stacks, link
 * previews, native tabs, animations), which CommonJS packages do not let the bundler remove.
 * `npm run budgets` measures the effect; tests/web/replacements.test.ts finds paths that a new version moved.
 */
const ROUTER = 'expo-router/build';

module.exports = {
  [`${ROUTER}/index`]: 'router.js',
  [`${ROUTER}/fork/native-stack/createNativeStackNavigator`]: 'stack-navigator.js',
  [`${ROUTER}/layouts/stack-utils/index`]: 'stack-utils.js',
  [`${ROUTER}/link/Link`]: 'link.js',
  [`${ROUTER}/head/index`]: 'head.js',
  [`${ROUTER}/native-tabs/NativeTabTrigger`]: 'native-tab-trigger.js',
  [`${ROUTER}/views/EmptyRoute`]: 'none.js',
  [`${ROUTER}/views/SuspenseFallback`]: 'suspense-fallback.js',
  [`${ROUTER}/views/Sitemap`]: 'none.js',
  [`${ROUTER}/views/Unmatched`]: 'unmatched.js',
  '@shopify/flash-list/dist/index': 'flash-list.js',
  'react-native-screens/lib/module/index': 'screens.js',
  'react-native-web/dist/exports/Animated/index': 'animated.js',
};
