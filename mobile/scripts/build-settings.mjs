/**
 * Print the variables of a build from the outputs of a stack:
 *
 *   pulumi stack output --json | node scripts/build-settings.mjs web|android|ios
 *
 * EXPO_PUBLIC_FIREBASE_KEY is not among them: it is the browser key or the app's key that Firebase created
 * (`firebase apps:sdkconfig`).
 */
import { readFileSync } from 'node:fs';

const [platform] = process.argv.slice(2);
const outputs = JSON.parse(readFileSync(0, 'utf8'));
const { url, apps } = outputs;
if (!['web', 'android', 'ios'].includes(platform) || typeof url !== 'string' || typeof apps?.[platform] !== 'string') {
  console.error('usage: pulumi stack output --json | node scripts/build-settings.mjs web|android|ios');
  console.error('the outputs `url` and `apps` are needed; a stack that is not up has none');
  process.exit(2);
}
const settings = {
  EXPO_PUBLIC_API_URL: url,
  EXPO_PUBLIC_FIREBASE_PROJECT: apps.project,
  EXPO_PUBLIC_FIREBASE_APP: apps[platform],
  ...(platform === 'web' ? { EXPO_PUBLIC_RECAPTCHA_KEY: apps.recaptchaKey.split('/').pop() } : {}),
};
for (const [name, value] of Object.entries(settings)) console.log(`${name}=${value}`);
