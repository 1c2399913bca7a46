import { existsSync, readFileSync } from 'fs';
import { join } from 'path';

import { transformSync, type TransformOptions } from '@babel/core';

const ROOT = join(__dirname, '..', '..');
const replacements = jest.requireActual<Record<string, string>>('../../web/replacements');

describe.each(Object.entries(replacements))('%s', (module, file) => {
  it('is a module of the installed version', () => {
    const path = join(ROOT, 'node_modules', module);
    expect(['.js', '.web.js'].some((extension) => existsSync(path + extension))).toBe(true);
  });

  it('is replaced by a file of the app', () => {
    expect(existsSync(join(ROOT, 'web', file))).toBe(true);
  });
});

function narrow(code: string): string {
  const options: TransformOptions = {
    babelrc: false,
    configFile: false,
    plugins: [join(ROOT, 'scripts', 'narrow-react-native.js')],
  };
  return transformSync(code, options)?.code ?? '';
}

describe('narrow-react-native', () => {
  it('requires the modules that are used in place of the whole library', () => {
    const code = narrow("const rn = require('react-native'); rn.View; rn.Platform.OS; rn.View;");
    expect(code).toContain('require("react-native-web/dist/exports/View")');
    expect(code).toContain('_View.default;');
    expect(code).toContain('_Platform.default.OS');
    expect(code).not.toContain("require('react-native')");
    expect(code.match(/exports\/View/g)).toHaveLength(1);
  });

  it('leaves a library alone that is passed on, or a member that is no module', () => {
    for (const use of ['f(rn);', 'rn[name];', 'rn.Unknown;', 'rn.View; f(rn);']) {
      const code = `const rn = require('react-native');\n${use}`;
      expect(narrow(code)).toContain("require('react-native')");
    }
  });

  it('is what a CommonJS library of the build needs', () => {
    const code = readFileSync(join(ROOT, 'node_modules/expo-router/build/ExpoRoot.js'), 'utf8');
    expect(code).toContain('require("react-native")');
    expect(narrow(code)).not.toContain('require("react-native")');
  });
});
