/** jsdom with the parts of Node.js that browsers have and jsdom lacks. */
const { TestEnvironment } = require('jest-environment-jsdom');

module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of ['Request', 'Response', 'Headers', 'TextEncoder', 'TextDecoder', 'ReadableStream']) {
      this.global[name] ??= globalThis[name];
    }
    // jsdom's own has no randomUUID.
    Object.defineProperty(this.global, 'crypto', { value: globalThis.crypto, configurable: true });
  }
};
