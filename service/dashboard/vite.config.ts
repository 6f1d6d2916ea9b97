import preact from '@preact/preset-vite';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/** Static files only, no inline script or style: the page is served under `default-src 'self'`. */
export default defineConfig({
  root: 'service/dashboard',
  base: '/',
  plugins: [preact()],
  // package.json's browser condition points at dist; the page is built from the sources.
  resolve: {
    alias: { '#pairing': fileURLToPath(new URL('../../prover/pairing-noble.ts', import.meta.url)) },
  },
  build: {
    outDir: '../../dist/dashboard',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
});
