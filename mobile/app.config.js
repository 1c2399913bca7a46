/**
 * Build settings that depend on the environment; the rest is in app.json.
 *
 * EXPO_PUBLIC_PLAIN=1 builds the plain version that the figures in docs/mobile.md compare with: no React
 * Compiler, no cache, FlatList in place of FlashList.
 *
 * GOOGLE_SERVICES_JSON (Android) and GOOGLE_SERVICE_INFO_PLIST (iOS) are the paths of Firebase's configuration files.
 * With one of them a native build includes the Firebase SDK, which attests the app (App Check); without, it does not.
 */
const android = process.env.GOOGLE_SERVICES_JSON;
const ios = process.env.GOOGLE_SERVICE_INFO_PLIST;
const FIREBASE = ['@react-native-firebase/app', '@react-native-firebase/app-check'];

module.exports = ({ config }) => ({
  ...config,
  android: { ...config.android, ...(android ? { googleServicesFile: android } : {}) },
  ios: { ...config.ios, ...(ios ? { googleServicesFile: ios } : {}) },
  plugins: [...config.plugins, ...(android || ios ? FIREBASE : [])],
  experiments: { ...config.experiments, reactCompiler: process.env.EXPO_PUBLIC_PLAIN !== '1' },
});
