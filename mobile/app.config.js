/**
 * Build settings that depend on the environment; the rest is in app.json.
 *
 * EXPO_PUBLIC_PLAIN=1 builds the plain version that the figures in docs/mobile.md compare with: no React
 * Compiler, no cache, FlatList in place of FlashList.
 */
module.exports = ({ config }) => ({
  ...config,
  experiments: { ...config.experiments, reactCompiler: process.env.EXPO_PUBLIC_PLAIN !== '1' },
});
