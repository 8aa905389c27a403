import { defineConfig } from 'vite';

/** What the browser holds the page to: nothing from, and nothing to, another host. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "img-src 'self' data:",
  "connect-src 'self' data:", // of the samples
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

export default defineConfig({
  base: './', // any static host, under any path
  assetsInclude: ['**/*.tflite'],
  server: { fs: { allow: ['..'] } }, // the models and samples are the Python package's
  plugins: [
    {
      name: 'content-security-policy',
      apply: 'build', // the development server puts styles into the page
      transformIndexHtml: () => [
        {
          tag: 'meta',
          attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY },
          injectTo: 'head-prepend',
        },
      ],
    },
  ],
  build: {
    target: 'es2022',
    chunkSizeWarningLimit: 600,
    modulePreload: { polyfill: false },
  },
});
