import { spawnSync } from 'child_process';
import { join } from 'path';

const SCRIPT = join(__dirname, '..', '..', 'scripts', 'build-settings.mjs');
const APPS = {
  project: '123',
  android: '1:1:android:a',
  ios: '1:1:ios:b',
  web: '1:1:web:c',
  recaptchaKey: 'projects/p/keys/6Lk',
};

function run(platform: string, outputs: object) {
  return spawnSync(process.execPath, [SCRIPT, platform], { input: JSON.stringify(outputs), encoding: 'utf8' });
}

it('prints the variables of a web build from the outputs of a stack', () => {
  const { stdout, status } = run('web', { url: 'https://api.example.com', apps: APPS });
  expect(status).toBe(0);
  expect(stdout.trim().split('\n')).toEqual([
    'EXPO_PUBLIC_API_URL=https://api.example.com',
    'EXPO_PUBLIC_FIREBASE_PROJECT=123',
    'EXPO_PUBLIC_FIREBASE_APP=1:1:web:c',
    'EXPO_PUBLIC_RECAPTCHA_KEY=6Lk',
  ]);
});

it('uses the app of the platform', () => {
  const { stdout } = run('android', { url: 'https://api.example.com', apps: APPS });
  expect(stdout).toContain('EXPO_PUBLIC_FIREBASE_APP=1:1:android:a');
  expect(stdout).not.toContain('RECAPTCHA');
});

it('refuses outputs without apps', () => {
  const { status, stderr } = run('web', { url: 'https://api.example.com' });
  expect(status).toBe(2);
  expect(stderr).toContain('the outputs `url` and `apps` are needed');
});
