// How the pages' scripts and styles are built: one entry for each kind of page,
// files named by their content, a manifest for the server, and gzip copies made once.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const PAGES = [
  'site',
  'event',
  'check',
  'queue',
  'seats',
  'checkout',
  'order',
  'console',
  'door',
  'invites',
  'away',
];

/** Below this size a packed copy saves no packet. */
const SMALLEST_WORTH_PACKING_BYTES = 1_000;

function packAssets(): Plugin {
  return {
    name: 'pack-assets',
    writeBundle(options) {
      const folder = join(options.dir ?? 'dist', 'assets');
      for (const name of readdirSync(folder)) {
        const plain = readFileSync(join(folder, name));
        if (plain.length < SMALLEST_WORTH_PACKING_BYTES) continue;
        writeFileSync(join(folder, `${name}.gz`), gzipSync(plain, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  base: '/',
  plugins: [packAssets()],
  build: {
    target: 'es2022',
    manifest: true,
    modulePreload: { polyfill: false },
    // Inlined files would be data: addresses, which the content policy need not allow.
    assetsInlineLimit: 0,
    rollupOptions: {
      input: Object.fromEntries(PAGES.map((page) => [page, `src/${page}/main.ts`])),
    },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
