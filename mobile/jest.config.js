module.exports = {
  preset: 'jest-expo',
  setupFilesAfterEnv: ['./tests/setup.ts'],
  testMatch: ['<rootDir>/tests/**/*.test.ts?(x)'],
  moduleNameMapper: { '^@/(.*)$': '<rootDir>/src/$1' },
  // One module tree of React Native is compiled for all workers; more workers than cores only wait.
  maxWorkers: 2,
  testTimeout: 20_000,
};
