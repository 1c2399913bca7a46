/** Settings and styles of public/first-paint.js, written by the build. */
import { TIMEOUT_MS } from '@/api/transport';
import { SCHEMA_VERSION } from '@/cache/rows';
import { LANGUAGES } from '@/texts';
import { dark, light } from '@/ui/colors';

interface Settings {
  scripts: string[];
  feedScripts: string[];
  api: string;
  early: boolean;
  timeoutMs: number;
  version: number;
  icons: Record<string, string>;
  tabs: [string, string][];
  texts: Record<string, { by: string; image: string; offline: string; tabs: Record<string, string> }>;
}

const { script, settings, styles } = jest.requireActual<{
  settings: (scripts: string[], chunks: string[], environment: Record<string, string>) => Settings;
  script: (scripts: string[], chunks: string[], environment: Record<string, string>) => string;
  styles: () => string;
}>('../../scripts/first-paint');

const SCRIPTS = ['/app/runtime.js', '/app/common.js', '/app/entry.js'];

it('has the texts of every language, with a placeholder for the name', () => {
  const { texts } = settings(SCRIPTS, [], {});
  expect(Object.keys(texts)).toEqual(Object.keys(LANGUAGES));
  for (const [language, of] of Object.entries(LANGUAGES)) {
    expect(texts[language]).toEqual({
      tabs: of.tabs,
      offline: of.offline,
      by: of.feed.by('{name}'),
      image: of.feed.image('{name}'),
    });
  }
});

it('has the version of the cached rows and an icon for each tab', () => {
  const { version, tabs, icons } = settings(SCRIPTS, [], {});
  expect(version).toBe(SCHEMA_VERSION);
  for (const [name] of tabs) expect(icons[name]).toMatch(/^M/);
  expect(icons.heart).toMatch(/^M/);
});

it('runs the chunks of the feed after the runtime and before the app', () => {
  const { scripts, feedScripts } = settings(SCRIPTS, ['/app/index.js'], {});
  expect(scripts).toEqual(SCRIPTS);
  expect(feedScripts).toEqual(['/app/runtime.js', '/app/index.js', '/app/common.js', '/app/entry.js']);
});

it('requests the feed before the app where requests need no App Check', () => {
  expect(settings(SCRIPTS, [], {}).early).toBe(true);
  expect(settings(SCRIPTS, [], { EXPO_PUBLIC_FIREBASE_APP: '1:2:web:3' }).early).toBe(false);
  expect(settings(SCRIPTS, [], { EXPO_PUBLIC_API_URL: 'https://api.test/' }).api).toBe('https://api.test');
});

it('has the timeout of the requests of the app', () => {
  expect(settings(SCRIPTS, [], {}).timeoutMs).toBe(TIMEOUT_MS);
});

it('writes the settings into the script', () => {
  const code = script(SCRIPTS, [], {});
  expect(code).toContain('"scripts":["/app/runtime.js"');
  expect(code).not.toContain('%SETTINGS%');
});

it('has the colors of both schemes', () => {
  const css = styles();
  for (const [name, value] of [...Object.entries(light), ...Object.entries(dark)]) {
    expect(css).toContain(`--${name}:${value};`);
  }
  expect(css).not.toContain('/*');
});
