/** Exit with 1 where src/api/schema.ts is not what openapi.json generates. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'client-'));
try {
  const output = join(folder, 'schema.ts');
  const args = ['openapi.json', '--default-non-nullable=false', '--output', output];
  execFileSync(join('node_modules', '.bin', 'openapi-typescript'), args, { stdio: 'ignore' });
  if (readFileSync(output, 'utf8') !== readFileSync('src/api/schema.ts', 'utf8')) {
    console.error('src/api/schema.ts is not current: run `make mobile-client` and commit it');
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
