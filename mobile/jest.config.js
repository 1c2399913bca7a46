const shared = {
  moduleNameMapper: { '^@/(.*)$': '<rootDir>/src/$1' },
};

module.exports = {
  projects: [
    {
      ...shared,
      displayName: 'app',
      preset: 'jest-expo',
      setupFilesAfterEnv: ['./tests/setup.ts'],
      testMatch: ['<rootDir>/tests/**/*.test.ts?(x)'],
      testPathIgnorePatterns: ['<rootDir>/tests/browser/'],
    },
    {
      // The web build's modules: react-native-web, and the replacements of web/.
      ...shared,
      displayName: 'browser',
      preset: 'jest-expo/web',
      testEnvironment: './tests/browser/environment.js',
      resolver: './tests/browser/resolver.js',
      testMatch: ['<rootDir>/tests/browser/**/*.test.tsx'],
      transformIgnorePatterns: [],
    },
  ],
  // One module tree of React Native is compiled for all workers; more workers than cores only wait.
  maxWorkers: 2,
  testTimeout: 180_000,
};
